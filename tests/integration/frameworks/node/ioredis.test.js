// ioredis: run by test_node.py, against the server on port PORT.
const assert = require("node:assert/strict");
const { once } = require("node:events");
const { after, before, beforeEach, test: nodeTest } = require("node:test");
const Redis = require("ioredis");

const test = (name, run) => nodeTest(name, { timeout: 10000 }, run);

const port = Number(process.env.PORT);
let redis;
const opened = [];

function connect(options = {}) {
  const client = new Redis({ port, ...options });
  opened.push(client);
  return client;
}

before(() => { redis = connect(); });
beforeEach(() => redis.flushall());
after(() => Promise.all(opened.map((client) => client.disconnect())));

test("values of every type", async () => {
  assert.equal(await redis.set("key", "value", "EX", 100, "NX"), "OK");
  assert.equal(await redis.set("key", "other", "NX"), null);
  assert.deepEqual(await redis.getBuffer("key"), Buffer.from("value"));
  assert.equal(await redis.hset("hash", { a: 1, b: "two" }), 2);
  assert.deepEqual(await redis.hgetall("hash"), { a: "1", b: "two" });
  await redis.zadd("scores", 1, "one", 2, "two");
  assert.deepEqual(await redis.zrange("scores", 0, -1, "WITHSCORES"), ["one", "1", "two", "2"]);
  const id = await redis.xadd("stream", "*", "field", "value");
  assert.deepEqual(await redis.xrange("stream", "-", "+"), [[id, ["field", "value"]]]);
  await assert.rejects(redis.incr("key"), /ERR value is not an integer or out of range/);
});

test("ten thousand commands without waiting", async () => {
  const replies = await Promise.all(Array.from({ length: 10000 }, () => redis.incr("counter")));
  assert.deepEqual(replies, Array.from({ length: 10000 }, (_, i) => i + 1));
});

test("pipelines and transactions", async () => {
  const piped = await redis.pipeline().set("a", 1).incr("a").hget("a", "b").exec();
  assert.deepEqual(piped.slice(0, 2), [[null, "OK"], [null, 2]]);
  assert.match(piped[2][0].message, /^WRONGTYPE/);
  assert.deepEqual(await redis.multi().incr("a").get("a").exec(), [[null, 3], [null, "3"]]);
  const watching = connect();
  await watching.watch("a");
  await redis.set("a", "changed");
  assert.equal(await watching.multi().get("a").exec(), null);
  await watching.multi({ pipeline: false });
  assert.equal(await watching.get("a"), "QUEUED");
  assert.deepEqual(await watching.exec(), [[null, "changed"]]);
});

test("channels and patterns", async () => {
  const subscriber = connect();
  assert.equal(await subscriber.subscribe("news", "sports"), 2);
  assert.equal(await subscriber.psubscribe("w*"), 3);
  const message = once(subscriber, "message");
  assert.equal(await redis.publish("news", "hello"), 1);
  assert.deepEqual(await message, ["news", "hello"]);
  const matched = once(subscriber, "pmessageBuffer");
  assert.equal(await redis.publish("weather", "sun"), 1);
  assert.deepEqual((await matched).map(String), ["w*", "weather", "sun"]);
  assert.equal(await subscriber.unsubscribe("news", "sports"), 1);
  assert.equal(await subscriber.punsubscribe(), 0);
  assert.equal(await subscriber.set("key", "in normal mode again"), "OK");
});

test("keyspace notifications", async () => {
  await redis.config("SET", "notify-keyspace-events", "Ex");
  const subscriber = connect();
  await subscriber.subscribe("__keyevent@0__:expired");
  const message = once(subscriber, "message");
  await redis.set("short", "lived", "PX", 10);
  assert.deepEqual(await message, ["__keyevent@0__:expired", "short"]);
  await redis.config("SET", "notify-keyspace-events", "");
});

test("scripts as commands", async () => {
  const client = connect({
    scripts: {
      raise: { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" },
    },
  });
  await redis.script("FLUSH");
  assert.equal(await client.raise("n", 5), 5);
  assert.equal(await client.raise("n", 5), 10);
  assert.deepEqual(await client.pipeline().raise("n", 1).raise("n", 1).exec(),
    [[null, 11], [null, 12]]);
  client.defineCommand("echoes", { lua: "return {KEYS[1], ARGV[1], 3.7, false}" });
  assert.deepEqual(await client.echoes(1, "key", "argument"), ["key", "argument", 3, null]);
  assert.deepEqual(await client.echoesBuffer(1, "k", Buffer.from([0, 255])),
    [Buffer.from("k"), Buffer.from([0, 255]), 3, null]);
});

test("scanning as a stream", async () => {
  await redis.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key:${i}`, i])));
  const found = new Set();
  for await (const keys of redis.scanStream({ match: "key:*", count: 100 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 500);
});

test("blocking, and consumer groups", async () => {
  const waiting = connect();
  const popped = waiting.blpop("jobs", 10);
  await redis.rpush("jobs", "one");
  assert.deepEqual(await popped, ["jobs", "one"]);
  await redis.xgroup("CREATE", "stream", "group", "$", "MKSTREAM");
  const read = waiting.xreadgroup("GROUP", "group", "me", "BLOCK", 10000, "STREAMS", "stream", ">");
  const id = await redis.xadd("stream", "*", "n", 1);
  assert.deepEqual(await read, [["stream", [[id, ["n", "1"]]]]]);
  assert.equal(await redis.xack("stream", "group", id), 1);
});

test("monitor", async () => {
  const monitor = await redis.monitor();
  opened.push(monitor);
  const seen = once(monitor, "monitor");
  await redis.set("watched", "by somebody");
  assert.deepEqual((await seen)[1], ["set", "watched", "by somebody"]);
});

test("options of a connection", async () => {
  const client = connect({ db: 3, connectionName: "worker", keyPrefix: "app:", lazyConnect: true });
  await client.connect();
  await client.set("key", 1);
  assert.equal(await client.client("GETNAME"), "worker");
  const other = connect({ db: 3, enableAutoPipelining: true });
  assert.deepEqual(await Promise.all([other.get("app:key"), other.dbsize()]), ["1", 1]);
});

test("a connection that is cut is made again", async () => {
  const client = connect({ retryStrategy: () => 1 });
  const subscriber = connect({ retryStrategy: () => 1 });
  await subscriber.subscribe("news");
  const id = await client.client("ID");
  const closed = once(subscriber, "close");
  await redis.client("KILL", "TYPE", "pubsub");
  await redis.client("KILL", "ID", id);
  assert.equal(await client.set("key", 1), "OK");
  await closed;
  const message = once(subscriber, "message");
  while (await redis.publish("news", "again") === 0) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.deepEqual(await message, ["news", "again"]);
});
