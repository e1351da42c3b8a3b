// BullMQ: run by test_node.py, against the server on port PORT.
const assert = require("node:assert/strict");
const { after, afterEach, test: nodeTest } = require("node:test");
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");

const test = (name, run) => nodeTest(name, { timeout: 10000 }, run);

const connection = { port: Number(process.env.PORT), maxRetriesPerRequest: null };
const opened = [];
let names = 0;

function keep(each) {
  opened.push(each);
  return each;
}

async function setUp(work, options = {}) {
  const name = `queue-${++names}`;
  const queue = keep(new Queue(name, { connection }));
  const events = keep(new QueueEvents(name, { connection }));
  await events.waitUntilReady();
  const worker = keep(new Worker(name, work, { connection, drainDelay: 1, ...options }));
  return { name, queue, events, worker };
}

afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));

test("jobs and their results", async () => {
  const { queue, events } = await setUp(async (job) => job.data.a + job.data.b);
  const job = await queue.add("add", { a: 2, b: 3 });
  assert.equal(await job.waitUntilFinished(events, 10000), 5);
  assert.equal(await job.getState(), "completed");
  const many = await queue.addBulk(
    Array.from({ length: 50 }, (_, i) => ({ name: "add", data: { a: i, b: 1 } })),
  );
  const results = await Promise.all(many.map((each) => each.waitUntilFinished(events, 10000)));
  assert.deepEqual(results, many.map((_, i) => i + 1));
  assert.deepEqual(await queue.getJobCounts("completed", "failed", "waiting"),
    { completed: 51, failed: 0, waiting: 0 });
});

test("failures, attempts and back-off", async () => {
  const tries = [];
  const { queue, events } = await setUp(async (job) => {
    tries.push(job.attemptsMade);
    if (job.attemptsMade < 2) throw new Error("not yet");
    return "at last";
  });
  const backoff = { type: "fixed", delay: 5 };
  const job = await queue.add("stubborn", {}, { attempts: 3, backoff });
  assert.equal(await job.waitUntilFinished(events, 10000), "at last");
  assert.deepEqual(tries, [0, 1, 2]);
  const lost = await queue.add("lost", {}, { attempts: 1 });
  await assert.rejects(lost.waitUntilFinished(events, 10000), /not yet/);
  assert.equal(await queue.getFailedCount(), 1);
  const [failed] = await queue.getFailed();
  assert.equal(failed.failedReason, "not yet");
  await failed.remove();
  assert.equal(await queue.getFailedCount(), 0);
});

test("delayed jobs and priorities", async () => {
  const order = [];
  const { queue, events, worker } = await setUp(async (job) => { order.push(job.name); },
    { autorun: false });
  await queue.add("low", {}, { priority: 10 });
  await queue.add("high", {}, { priority: 1 });
  await queue.add("first", {}, { lifo: true });
  const last = await queue.add("later", {}, { delay: 100 });
  assert.equal(await last.getState(), "delayed");
  worker.run();
  await last.waitUntilFinished(events, 10000);
  const { timestamp, processedOn } = await queue.getJob(last.id);
  assert.ok(processedOn - timestamp >= 100);
  assert.deepEqual(order.filter((name) => name !== "later"), ["first", "high", "low"]);
});

test("progress, logs and deduplication", async () => {
  const { queue, events } = await setUp(async (job) => {
    await job.updateProgress(50);
    await job.log("half way");
  });
  const progress = new Promise((resolve) => events.once("progress", resolve));
  const job = await queue.add("work", {}, { deduplication: { id: "only one", ttl: 10000 } });
  const same = await queue.add("work", {}, { deduplication: { id: "only one", ttl: 10000 } });
  assert.equal(same.id, job.id);
  assert.equal((await progress).data, 50);
  await job.waitUntilFinished(events, 10000);
  assert.deepEqual(await queue.getJobLogs(job.id), { logs: ["half way"], count: 1 });
});

test("flows: parents wait for their children", async () => {
  const { name, events } = await setUp(async (job) => {
    if (job.name !== "parent") return job.data.value;
    return Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0);
  });
  const flows = keep(new FlowProducer({ connection }));
  const tree = await flows.add({
    name: "parent", queueName: name,
    children: [1, 2, 3].map((value) => ({ name: "child", queueName: name, data: { value } })),
  });
  assert.equal(await tree.job.waitUntilFinished(events, 10000), 6);
});

test("repeatable jobs", async () => {
  let runs = 0;
  const { queue } = await setUp(async () => { runs += 1; });
  await queue.upsertJobScheduler("tick", { every: 30, limit: 3 }, { name: "tick" });
  while (runs < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await queue.removeJobScheduler("tick"), true);
  assert.deepEqual(await queue.getJobSchedulers(), []);
});

test("pausing, rate limits and cleaning", async () => {
  const { queue, events } = await setUp(async () => "done", { limiter: { max: 2, duration: 20 } });
  await queue.pause();
  const jobs = await queue.addBulk(Array.from({ length: 5 }, () => ({ name: "work", data: {} })));
  assert.equal(await queue.isPaused(), true);
  assert.equal((await queue.getJobCounts("waiting")).waiting, 5);
  await queue.resume();
  await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 10000)));
  assert.equal((await queue.clean(0, 100, "completed")).length, 5);
  await queue.obliterate({ force: true });
});
