// node-redis: run by test_node.py, against the server on port PORT.
const assert = require("node:assert/strict");
const { after, before, beforeEach, test: nodeTest } = require("node:test");
const { createClient, createClientPool, defineScript, RESP_TYPES } = require("redis");

const test = (name, run) => nodeTest(name, { timeout: 10000 }, run);

const socket = { port: Number(process.env.PORT) };
let redis;
const opened = [];

async function connect(options = {}) {
  const client = createClient({ socket, ...options });
  client.on("error", () => {});
  opened.push(client);
  return client.connect();
}

async function until(condition) {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

before(async () => { redis = await connect(); });
beforeEach(() => redis.flushAll());
after(() => opened.forEach((client) => client.isOpen && client.destroy()));

for (const RESP of [2, 3]) {
  test(`values of every type, RESP${RESP}`, async () => {
    const client = await connect({ RESP });
    assert.equal(await client.set("key", "value", { EX: 100, NX: true }), "OK");
    assert.equal(await client.get("missing"), null);
    assert.equal(await client.hSet("hash", { a: 1, b: "two" }), 2);
    assert.deepEqual({ ...await client.hGetAll("hash") }, { a: "1", b: "two" });
    await client.zAdd("scores", [{ value: "half", score: 0.5 }, { value: "inf", score: Infinity }]);
    assert.deepEqual(await client.zRangeWithScores("scores", 0, -1),
      [{ value: "half", score: 0.5 }, { value: "inf", score: Infinity }]);
    assert.equal(await client.zScore("scores", "half"), 0.5);
    await client.sAdd("set", ["a"]);
    assert.deepEqual(await client.sMembers("set"), ["a"]);
    const id = await client.xAdd("stream", "*", { field: "value" });
    const [{ messages }] = await client.xRead({ key: "stream", id: "0" });
    assert.deepEqual(messages.map(({ id, message }) => [id, { ...message }]),
      [[id, { field: "value" }]]);
    assert.deepEqual(await client.geoAdd("places", { member: "x", longitude: 1, latitude: 2 }), 1);
    assert.equal((await client.configGet("maxmemory-samples"))["maxmemory-samples"], "5");
    await assert.rejects(client.incr("key"), /ERR value is not an integer or out of range/);
  });

  test(`transactions, RESP${RESP}`, async () => {
    const client = await connect({ RESP });
    assert.deepEqual(await client.multi().set("a", 1).incr("a").hSet("h", "f", 1).exec(),
      ["OK", 2, 1]);
    await client.watch("a");
    await redis.set("a", "changed");
    await assert.rejects(client.multi().get("a").exec(), /watched keys/i);
    await assert.rejects(client.multi().incr("a").incr("h").exec(), /2 commands failed/);
  });

  test(`channels, patterns and shard channels, RESP${RESP}`, async () => {
    const subscriber = await connect({ RESP });
    const seen = [];
    await subscriber.subscribe(["news", "sports"], (text, channel) => seen.push([channel, text]));
    await subscriber.pSubscribe("w*", (text, channel) => seen.push([channel, text]));
    await subscriber.sSubscribe("shard", (text, channel) => seen.push([channel, text]));
    assert.equal(await redis.publish("news", "hello"), 1);
    assert.equal(await redis.publish("weather", "sun"), 1);
    assert.equal(await redis.sPublish("shard", "part"), 1);
    await until(() => seen.length === 3);
    assert.deepEqual(seen.sort(), [["news", "hello"], ["shard", "part"], ["weather", "sun"]]);
    assert.deepEqual((await redis.pubSubChannels()).sort(), ["news", "sports"]);
    assert.equal(await redis.pubSubNumPat(), 1);
    assert.equal((await redis.pubSubNumSub("news")).news, 1);
    if (RESP === 3) assert.equal(await subscriber.ping(), "PONG");
    await subscriber.unsubscribe();
    await subscriber.pUnsubscribe();
    await subscriber.sUnsubscribe();
    assert.equal(await subscriber.get("in normal mode again"), null);
  });
}

test("pipelines without waiting", async () => {
  const replies = await Promise.all(Array.from({ length: 5000 }, () => redis.incr("counter")));
  assert.equal(replies.at(-1), 5000);
  assert.deepEqual(await redis.multi().ping().dbSize().execAsPipeline(), ["PONG", 1]);
});

test("types of RESP3", async () => {
  const client = (await connect({ RESP: 3 }))
    .withTypeMapping({ [RESP_TYPES.MAP]: Map, [RESP_TYPES.DOUBLE]: String });
  await client.hSet("hash", { a: 1 });
  assert.deepEqual(await client.hGetAll("hash"), new Map([["a", "1"]]));
  await client.zAdd("scores", { value: "a", score: 1.5 });
  assert.equal(await client.zScore("scores", "a"), "1.5");
});

test("scripts", async () => {
  const client = await connect({
    scripts: {
      raise: defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        parseCommand(parser, key, by) { parser.pushKey(key); parser.push(String(by)); },
        transformReply: (reply) => reply,
      }),
    },
  });
  await redis.scriptFlush();
  assert.equal(await client.raise("n", 5), 5);
  assert.deepEqual(await client.multi().raise("n", 1).raise("n", 1).exec(), [6, 7]);
  assert.equal(await client.eval("return ARGV[1]", { arguments: ["x"] }), "x");
});

test("functions", async () => {
  await redis.functionLoad(
    "#!lua name=tests\nredis.register_function{function_name='twice', " +
    "callback=function(keys, args) return args[1] * 2 end, flags={'no-writes'}}",
    { REPLACE: true },
  );
  assert.equal(await redis.fCall("twice", { arguments: ["21"] }), 42);
  assert.equal(await redis.fCallRo("twice", { arguments: ["4"] }), 8);
  assert.deepEqual((await redis.functionList()).map((each) => each.library_name), ["tests"]);
  await redis.functionDelete("tests");
});

test("client-side caching", async () => {
  const clientSideCache = { ttl: 0, maxEntries: 100, evictPolicy: "LRU" };
  const client = await connect({ RESP: 3, clientSideCache });
  await redis.set("cached", "1");
  assert.equal(await client.get("cached"), "1");
  const calls = async () =>
    (await redis.info("commandstats")).match(/cmdstat_get:calls=(\d+)/)?.[1];
  const before = await calls();
  for (let i = 0; i < 50; i++) assert.equal(await client.get("cached"), "1");
  assert.equal(await calls(), before, "the server is not asked for what is cached");
  await redis.set("cached", "2");
  await until(async () => await client.get("cached") === "2");
  await redis.flushAll();
  await until(async () => await client.get("cached") === null);
});

test("scanning", async () => {
  await redis.mSet(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key:${i}`, `${i}`])));
  const found = new Set();
  for await (const keys of redis.scanIterator({ MATCH: "key:*", COUNT: 100 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 500);
});

test("a pool, and blocking in it", async () => {
  const pool = await createClientPool({ socket }, { minimum: 1, maximum: 5 }).connect();
  const popped = pool.blPop("jobs", 10);
  await pool.rPush("jobs", "one");
  assert.deepEqual({ ...await popped }, { key: "jobs", element: "one" });
  await pool.close();
});

test("users", async () => {
  await redis.aclSetUser("reader",
    ["on", ">secret", "~news:*", "+get", "+hello", "+client|setinfo"]);
  const reader = await connect({ username: "reader", password: "secret" });
  assert.equal(await reader.get("news:1"), null);
  await assert.rejects(reader.get("other"), /NOPERM/);
  await assert.rejects(reader.set("news:1", "x"), /NOPERM/);
  const once = { ...socket, reconnectStrategy: false };
  const wrong = connect({ username: "reader", password: "wrong", socket: once });
  await assert.rejects(wrong, /WRONGPASS/);
  assert.equal(await redis.aclDelUser("reader"), 1);
});

test("monitor", async () => {
  const watching = await connect();
  const seen = [];
  await watching.monitor((line) => seen.push(line));
  await redis.set("watched", "by somebody");
  await until(() => seen.some((line) => line.includes('"SET" "watched" "by somebody"')));
});
