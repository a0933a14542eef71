// One round of other people's queues, loaded as `botburrow bench queue` loads ours: the same items, the
// same numbers of them under way, each queue set up the fastest way its manual knows.
//
//   node queue.mjs bullmq|bee-queue PORT ROW ITEMS
//
// ROW: enqueue_single, enqueue_window (100 under way), enqueue_bulk (1,000 a call), drain_c1, drain_c10,
// drain_c100, drain_c1000, pick_up. Prints one JSON line. The server must be empty.
import {execFileSync} from 'node:child_process';
import {performance} from 'node:perf_hooks';

const [which, port, row, countText] = process.argv.slice(2);
const count = Number(countText);
const connection = {host: '127.0.0.1', port: Number(port)};

const itemOf = number => {
  const agent = `bench-${String(number).padStart(8, '0')}`;
  return {agent_id: agent, agent_name: agent, task_type: 'inbox', priority: 'high', inbox_count: 3};
};

// An agent waits at most once, as in ours: its id is the job's.
async function bullmq() {
  const {Queue, Worker} = await import('bullmq');
  const queue = new Queue('bench', {connection});
  const options = agent => ({jobId: agent, attempts: 3, removeOnComplete: true});
  let worker;
  return {
    add: item => queue.add('inbox', item, options(item.agent_id)),
    addMany: items => queue.addBulk(items.map(item => ({name: 'inbox', data: item, opts: options(item.agent_id)}))),
    work: async (concurrency, handle) => {
      worker = new Worker('bench', handle, {connection, concurrency});
      await worker.waitUntilReady();
    },
    close: async () => {
      await worker?.close(true);
      await queue.close();
    },
  };
}

async function beeQueue() {
  const {default: Queue} = await import('bee-queue');
  const queue = new Queue('bench', {redis: connection, removeOnSuccess: true, sendEvents: false, getEvents: false,
                                    storeJobs: false});
  await queue.ready();
  const job = item => queue.createJob(item).setId(item.agent_id).retries(3);
  return {
    add: item => job(item).save(),
    addMany: items => queue.saveAll(items.map(job)),
    work: async (concurrency, handle) => queue.process(concurrency, handle),
    close: () => queue.close(0),
  };
}

const info = (section, name) => {
  const text = execFileSync('redis-cli', ['-p', port, 'info', section], {encoding: 'utf8'});
  return Number(new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1] ?? 0);
};
const redisCpu = () => info('cpu', 'used_cpu_user') + info('cpu', 'used_cpu_sys');
const ownCpu = () => {
  const {user, system} = process.cpuUsage();
  return (user + system) / 1e6;
};

async function produce(queue, width, batch) {
  let next = 0;
  const producer = async () => {
    while (next < count) {
      const items = [];
      while (next < count && items.length < batch) items.push(itemOf(next++));
      await (batch === 1 ? queue.add(items[0]) : queue.addMany(items));
    }
  };
  await Promise.all(Array.from({length: width}, producer));
}

const drain = (queue, concurrency) => new Promise((resolve, reject) => {
  let done = 0;
  queue.work(concurrency, async () => {
    if (++done === count) setImmediate(resolve);
  }).catch(reject);
});

async function pickUp(queue, waits) {
  let taken;
  await queue.work(1, async () => taken(performance.now()));
  for (let i = 0; i < count; ++i) {
    // Until the worker waits in the server again.
    await new Promise(resolve => setTimeout(resolve, 5));
    const arrival = new Promise(resolve => (taken = resolve));
    const begun = performance.now();
    await queue.add(itemOf(i));
    waits.push((await arrival - begun) * 1000);
  }
}

const queue = await (which === 'bullmq' ? bullmq() : beeQueue());
const empty = info('memory', 'used_memory');
const draining = /^drain_c(\d+)$/.exec(row);
if (draining) await produce(queue, 1, 1000);
const full = info('memory', 'used_memory');
const waits = [];
const before = {redis: redisCpu(), own: ownCpu(), at: performance.now()};
if (row === 'enqueue_single') await produce(queue, 1, 1);
else if (row === 'enqueue_window') await produce(queue, 100, 1);
else if (row === 'enqueue_bulk') await produce(queue, 1, 1000);
else if (draining) await drain(queue, Number(draining[1]));
else await pickUp(queue, waits);
const seconds = (performance.now() - before.at) / 1000;
const cpu = ownCpu() - before.own;
const redis = redisCpu() - before.redis;
waits.sort((a, b) => a - b);
console.log(JSON.stringify({
  count, seconds, per_second: count / seconds, cpu_seconds: cpu, redis_cpu_seconds: redis,
  ...(draining ? {bytes_an_item: (full - empty) / count} : {}),
  ...(waits.length > 0 ? {p50_us: waits[waits.length >> 1], p99_us: waits[Math.floor(waits.length * 0.99)]} : {}),
  resident_mib: process.memoryUsage().rss / (1 << 20),
}));
await queue.close();
process.exit(0);
