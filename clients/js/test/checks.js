// What the client promises, checked against a desk that tests/tests/clients.rs starts. Says `ok NAME` for each.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CccdAgent, CccdProblem, CccdUnreachable, probe } from '../cccd-agent.js';
import * as client from '../cccd-agent.js';

const desk = JSON.parse(process.env.CCCD_DESK);
const agent = new CccdAgent();
const other = new CccdAgent({ token: desk.other_token });
const access = { can: desk.can };

async function check(name, body) {
  await body();
  console.log(`ok ${name}`);
}

await check('read', async () => {
  const seen = [];
  let partial;
  const result = await agent.read(
    { access, reader: desk.reader },
    { onProgress: (read) => seen.push(read), onPartial: (found) => { partial = found; } },
  );
  assert.equal(result.record.number.value, desk.number);
  assert.equal(result.record.name.value, desk.name);
  assert.equal(partial.record.number.value, desk.number);
  assert.ok(seen.length > 0 && seen.at(-1).state === 'completed');
  assert.deepEqual(seen.map((read) => read.percent), seen.map((read) => read.percent).sort((a, b) => a - b));
  const again = await agent.read({ access, reader: desk.reader, portrait: false });
  assert.equal(again.record.name.value, desk.name);
  assert.equal(again.portrait, null);
});

await check('events resumed', async () => {
  const cut = new CccdAgent({ url: process.env.CCCD_CUT_URL });
  const stop = new AbortController();
  const events = [];
  const result = await agent.read({ access, reader: desk.reader });
  for await (const event of cut.events({ signal: stop.signal, lastEventId: 0 })) {
    events.push(event);
    if (event.type === 'read.completed' && event.data.read_id === result.read_id) stop.abort();
  }
  // Events are numbered from the start of the agent on, so that "from 0" is from before what is still known; after that
  // no break loses one.
  assert.equal(events[0].type, 'events.missed');
  const ids = events.slice(1).map((event) => Number(event.id));
  assert.ok(ids.length > 12, `${ids}`);
  ids.forEach((id, at) => assert.ok(at === 0 || id > ids[at - 1], `${ids}`));
  const ours = events.filter((event) => event.data.read_id === result.read_id).map((event) => event.type);
  assert.equal(ours[0], 'read.queued');
  assert.ok(ours.includes('read.partial') && ours.includes('read.progress'));
  // The same as a listener hears whose line holds.
  const straight = [];
  const hold = new AbortController();
  for await (const event of agent.events({ signal: hold.signal, lastEventId: 0 })) {
    straight.push(event);
    if (event.id === events.at(-1).id) hold.abort();
  }
  assert.deepEqual(events, straight);
});

await check('portrait', async () => {
  const result = await agent.read({ access, reader: desk.reader });
  const face = await agent.portrait(result.read_id);
  const bytes = new Uint8Array(await face.arrayBuffer());
  assert.equal(face.type, 'image/jpeg');
  assert.equal(bytes.length, result.portrait.bytes);
  assert.deepEqual([...bytes.slice(0, 2)], [0xff, 0xd8]);
  await agent.cancel(result.read_id);
  await assert.rejects(agent.result(result.read_id), { code: 'read-expired', status: 410 });
});

await check('wrong key', async () => {
  const wrong = agent.read({ access: { can: '111111' }, reader: desk.reader });
  const problem = await wrong.then(() => assert.fail('a wrong key opened the chip'), (error) => error);
  assert.ok(problem instanceof CccdProblem);
  assert.equal(problem.code, 'access-key-wrong');
  assert.equal(problem.status, 422);
  assert.equal(problem.actor, 'user');
  assert.equal(problem.triesLeft, 9);
  assert.match(problem.readId, /^[0-9a-f]{32}$/);
  for (const text of [problem.title, problem.remedy]) assert.ok(text.en && text.vi && text.en !== text.vi);
  // The right one gives the tries back.
  await agent.read({ access, reader: desk.reader, portrait: false });
});

await check('expectation', async () => {
  const expect = { number: desk.number, name: 'Ai Khác' };
  const { expected } = await agent.read({ access, reader: desk.reader, portrait: false, expect });
  assert.deepEqual(expected, { number: 'match', name: 'mismatch' });
});

await check('cancelled', async () => {
  const stop = new AbortController();
  let readId;
  const waiting = agent.read({ access, reader: desk.empty_reader }, {
    signal: stop.signal,
    onProgress: (read) => { readId = read.read_id; stop.abort(); },
  });
  await assert.rejects(waiting, { name: 'AbortError' });
  assert.equal((await agent.status(readId)).problem.code, 'cancelled');
  // The parts: asked for, called off, waited for.
  const read = await agent.start({ access, reader: desk.empty_reader });
  await agent.cancel(read.read_id);
  await assert.rejects(agent.wait(read.read_id), { code: 'cancelled' });
});

await check('scan', async () => {
  const [scan] = await agent.postScan(desk.qr);
  assert.equal(scan.kind, 'citizen');
  assert.equal(scan.citizen.number, desk.number);
  const result = await agent.read({ access: { scan: scan.scan_id }, reader: desk.reader, portrait: false });
  assert.equal(result.scan_agrees, true);
  await agent.dismissScan(scan.scan_id);
  await assert.rejects(agent.read({ access: { scan: scan.scan_id } }), { code: 'scan-expired' });
});

await check('lease', async () => {
  const { promise: beaten, resolve: beat } = deferred();
  let asked = 0;
  const counting = new CccdAgent({
    fetch: (input, init) => {
      if (init.method === 'POST' && ++asked > 1) beat();
      return fetch(input, init);
    },
  });
  const lease = await counting.lease(desk.reader, { seconds: 5, onLost: assert.fail });
  assert.ok(lease.remainingMs > 0);
  await beaten;
  const refused = await other.read({ access, reader: desk.reader }).catch((error) => error);
  assert.equal(refused.code, 'reader-busy');
  assert.equal(refused.heldBy, 'clinic');
  await lease.release();
  assert.equal((await other.read({ access, reader: desk.reader, portrait: false })).record.name.value, desk.name);
});

await check('nobody there', async () => {
  const nobody = new CccdAgent({ url: 'http://127.0.0.1:1' });
  await assert.rejects(nobody.about(), CccdUnreachable);
  await assert.rejects(new CccdAgent({ token: 'wrong' }).about(), { code: 'token-wrong', actor: 'admin' });
  const missing = { code: 'scope-missing' };
  await assert.rejects(agent.registers(), missing);
  await assert.rejects(agent.loadRoster('0'.repeat(16), new Blob(['SBD'], { type: 'text/csv' })), missing);
  await assert.rejects(agent.exportRegister('0'.repeat(16), { list: 'entries', format: 'csv' }), missing);
});

await check('readings', async () => {
  const stop = new AbortController();
  const options = {
    autoRead: { portrait: false, fields: ['name'] },
    onReady: () => agent.postScan(desk.qr),
    signal: stop.signal,
  };
  for await (const { result, problem, scanId } of agent.readings(desk.reader, options)) {
    assert.equal(problem, undefined);
    assert.equal(result.record.name.value, desk.name);
    assert.equal(result.record.number, null);
    assert.match(scanId, /^[0-9a-f]{32}$/);
    assert.equal((await agent.readers()).find((reader) => reader.reader_id === desk.reader).held_by, 'clinic');
    stop.abort();
  }
  assert.equal((await agent.readers()).find((reader) => reader.reader_id === desk.reader).held_by, null);
  const refused = agent.readings('no-reader').next();
  await assert.rejects(refused, { code: 'reader-not-found' });
});

await check('any call', async () => {
  const { scanners } = await agent.request('GET', '/v1/scanners');
  assert.equal(scanners[0].name, 'Desk 1');
  assert.equal(await agent.request('DELETE', `/v1/readers/${desk.reader}/lease`), null);
  await assert.rejects(agent.request('POST', `/v1/readers/${desk.reader}/lease`, { seconds: 1 }), { code: 'body-invalid' });
});

await check('probe', async () => {
  const state = async (options) => (await probe({ agent, ...options })).state;
  const kept = new Map();
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const nobody = new CccdAgent({ url: 'http://127.0.0.1:1' });
  assert.equal(await state({ agent: nobody }), 'absent');
  assert.equal(await state(), 'running');
  assert.equal(await state({ agent: nobody }), 'stopped');
  assert.equal(await state({ needs: ['telepathy'] }), 'outdated');
  const stranger = await probe({ agent: new CccdAgent({ token: 'wrong' }) });
  assert.deepEqual([stranger.state, stranger.problem.code], ['running', 'token-wrong']);
  const newer = { about: async () => ({ ...(await agent.about()), api_level: client.API_LEVEL + 1 }) };
  assert.equal(await state({ agent: newer }), 'client-outdated');

  // A browser, as far as the probe looks at one: Chromium 145 knows the first name, 142 the second alone.
  let answer = 'prompt';
  let names = ['loopback-network', 'local-network-access'];
  const permissions = {
    query: async ({ name }) => {
      if (!names.includes(name)) throw new TypeError('not a permission');
      return { state: answer };
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: { permissions }, configurable: true });
  let asked = 0;
  const page = new CccdAgent({ fetch: (...request) => { asked += 1; return fetch(...request); } });
  assert.equal(await state({ agent: page }), 'permission-needed');
  assert.equal(asked, 0, 'nothing is asked of the person before the page has explained it');
  assert.equal(await state({ agent: page, ask: true }), 'running');
  names = ['local-network-access'];
  answer = 'denied';
  const blocked = await probe({ agent: page });
  assert.deepEqual([blocked.state, blocked.permission, asked], ['blocked', 'denied', 1]);
  assert.ok(blocked.explanation.vi && blocked.explanation.en);
  // The person says no while the request waits.
  answer = 'prompt';
  const no = new CccdAgent({ fetch: async () => { answer = 'denied'; throw new TypeError('Failed to fetch'); } });
  assert.equal(await state({ agent: no, ask: true }), 'blocked');
  answer = 'granted';
  globalThis.isSecureContext = false;
  assert.equal(await state({ agent: page }), 'blocked');
  delete globalThis.isSecureContext;
  names = [];
  assert.equal((await probe({ agent: page })).permission, 'unknown');
});

await check('types', async () => {
  const types = readFileSync(new URL('../cccd-agent.d.ts', import.meta.url), 'utf8');
  for (const name of Object.keys(client)) assert.match(types, new RegExp(`export (const|class|function) ${name}\\b`));
  for (const name of Object.getOwnPropertyNames(CccdAgent.prototype)) assert.match(types, new RegExp(`\\b${name}[(:]`));
});

function deferred() {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  return { promise, resolve };
}
