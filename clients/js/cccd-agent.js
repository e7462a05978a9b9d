// The client of cccd-agent's local API, for pages and for Node 18 and later. One file, no build step, nothing to install.
//
//   const agent = new CccdAgent({ token });
//   const result = await agent.read({ access: { can: '123456' } }, { onProgress: (read) => bar.value = read.percent });
//
// It keeps nothing of anybody, writes nothing to a log, and speaks to loopback only unless told otherwise.
// @ts-check

/** The API level this file was written for. */
export const API_LEVEL = 1;

/** Where the agent listens unless its settings say otherwise. An address, as names may lead elsewhere. */
export const DEFAULT_URL = 'http://127.0.0.1:9303';

/** The server pings every 15 seconds: a stream that is silent for longer than this is dead. */
const SILENCE_MS = 45_000;
/** A reading is looked after this often even where no event arrives, as behind a filter that holds streams back. */
const LOOK_ANYWAY_MS = 2_000;
/** The longest line of the event stream that is taken in. */
const LONGEST_LINE = 65_536;
/** The longest one request may wait for the outcome (RFC 7240). */
const LONGEST_WAIT_S = 60;

/**
 * A problem (RFC 9457) that the agent answered with. Decide by `code`; show `title.vi` and `remedy.vi` to the person.
 */
export class CccdProblem extends Error {
  /** @param {Record<string, any>} problem */
  constructor(problem) {
    super(`${problem.code}: ${problem.detail ?? problem.title}`);
    this.name = 'CccdProblem';
    this.code = String(problem.code);
    this.status = Number(problem.status);
    this.retryable = problem.retryable === true;
    /** Whose move it is: `user`, `operator`, `admin` or `integrator`. */
    this.actor = problem.actor;
    this.title = { en: problem.title, vi: problem.title_vi };
    this.remedy = { en: problem.remedy, vi: problem.remedy_vi };
    this.detail = problem.detail;
    this.readId = problem.read_id ?? null;
    this.triesLeft = problem.tries_left ?? null;
    this.heldBy = problem.held_by ?? null;
    this.traceId = problem.trace_id ?? null;
  }
}

/** The agent did not answer, or what answered is not the agent. `probe` tells more. */
export class CccdUnreachable extends Error {
  /** @param {string} message @param {unknown} [cause] */
  constructor(message, cause) {
    super(message, { cause });
    this.name = 'CccdUnreachable';
  }
}

/** The agent on this machine, as one caller sees it. */
export class CccdAgent {
  #url;
  #authorize;
  #key;
  #fetch;

  /**
   * @param {object} [options]
   * @param {string} [options.url] Where the agent is; in Node, `CCCD_AGENT_URL` says so too.
   * @param {string} [options.token] The caller's token; in Node, `CCCD_AGENT_TOKEN`.
   * @param {(request: {method: string, url: string}) => Record<string, string> | Promise<Record<string, string>>}
   *   [options.authorize] Instead of a token: makes the headers that prove who calls, anew for each request.
   * @param {PageKey} [options.key] Instead of a token: the key of a page that is paired, or asks to be (`pair`).
   * @param {typeof fetch} [options.fetch] Another `fetch`.
   */
  constructor({ url, token, authorize, key, fetch: other } = {}) {
    const environment = globalThis.process?.env ?? {};
    this.#url = (url ?? environment.CCCD_AGENT_URL ?? DEFAULT_URL).replace(/\/+$/, '');
    const bearer = token ?? environment.CCCD_AGENT_TOKEN;
    this.#key = key;
    this.#authorize = authorize ?? key?.authorize ?? (() => (bearer ? { Authorization: `Bearer ${bearer}` } : {}));
    this.#fetch = other ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Where the agent is. */
  get url() {
    return this.#url;
  }

  /** Versions and features. @param {{signal?: AbortSignal}} [options] */
  about(options) {
    return this.#json('GET', '/v1', options);
  }

  /** The readers that stand there, and what lies on them. @param {{signal?: AbortSignal}} [options] */
  async readers(options) {
    return (await this.#json('GET', '/v1/readers', options)).readers;
  }

  /**
   * Reads one card: asks, waits, and gives the result. A reading that fails is thrown as a `CccdProblem`.
   *
   * @param {Record<string, any>} request What opens the chip and what is wanted, as POST /v1/reads takes it.
   * @param {object} [options]
   * @param {(read: any) => void} [options.onProgress] Hears where the reading stands, whenever that changes.
   * @param {(partial: any) => void} [options.onPartial] Hears who it is before the face has arrived. Nothing is judged yet.
   * @param {AbortSignal} [options.signal] Calls the reading off.
   * @param {string} [options.idempotencyKey] The same key and request again are the same reading.
   */
  async read(request, { onProgress, onPartial, signal, idempotencyKey } = {}) {
    const follows = onProgress !== undefined || onPartial !== undefined;
    const wait = follows ? 0 : LONGEST_WAIT_S;
    const answer = await this.#start(request, { wait, signal, idempotencyKey });
    if (answer.status === 200) return answer.body;
    return this.wait(answer.body.read_id, { onProgress, onPartial, signal });
  }

  /**
   * Asks for a reading and does not wait for it: gives where it stands, with its `read_id`.
   *
   * @param {Record<string, any>} request
   * @param {{signal?: AbortSignal, idempotencyKey?: string}} [options]
   */
  async start(request, options = {}) {
    return (await this.#start(request, { ...options, wait: 0 })).body;
  }

  /**
   * Waits for the end of a reading and gives its result. An aborted signal calls the reading off.
   *
   * @param {string} readId
   * @param {{onProgress?: (read: any) => void, onPartial?: (partial: any) => void, signal?: AbortSignal}} [options]
   */
  async wait(readId, { onProgress, onPartial, signal } = {}) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await this.#follow(readId, { onProgress, onPartial, signal: stop.signal });
    } catch (error) {
      // Whoever hangs up has called it off; the card must not be read for nobody.
      if (signal?.aborted) await this.cancel(readId).catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      stop.abort();
    }
  }

  /** Where a reading stands. @param {string} readId @param {{signal?: AbortSignal}} [options] */
  status(readId, options) {
    return this.#json('GET', `/v1/reads/${encodeURIComponent(readId)}`, options);
  }

  /** What a reading found. @param {string} readId @param {{signal?: AbortSignal}} [options] */
  result(readId, options) {
    return this.#json('GET', `/v1/reads/${encodeURIComponent(readId)}/result`, options);
  }

  /** Who it is, before the face has arrived. @param {string} readId @param {{signal?: AbortSignal}} [options] */
  partial(readId, options) {
    return this.#json('GET', `/v1/reads/${encodeURIComponent(readId)}/partial`, options);
  }

  /** The face, as a picture that every program shows. @param {string} readId @param {{signal?: AbortSignal}} [options] */
  async portrait(readId, options) {
    return (await this.#send('GET', `/v1/reads/${encodeURIComponent(readId)}/portrait`, options)).blob();
  }

  /** Calls a reading off, or wipes its result. @param {string} readId @param {{signal?: AbortSignal}} [options] */
  cancel(readId, options) {
    return this.#json('DELETE', `/v1/reads/${encodeURIComponent(readId)}`, options);
  }

  /**
   * Posts a picture of a code (a Blob), or the text a scanner typed. Gives its codes.
   *
   * @param {Blob | string} pictureOrText
   * @param {{signal?: AbortSignal}} [options]
   */
  async postScan(pictureOrText, { signal } = {}) {
    const text = typeof pictureOrText === 'string';
    const type = text ? 'application/json' : pictureOrText.type;
    const body = text ? JSON.stringify({ text: pictureOrText }) : pictureOrText;
    const headers = { 'Content-Type': type };
    return (await this.#json('POST', '/v1/scans', { headers, body, signal })).codes;
  }

  /** Fetches what a scanner of the desk scanned; it is handed out once. @param {string} scanId */
  fetchScan(scanId, options) {
    return this.#json('GET', `/v1/scans/${encodeURIComponent(scanId)}`, options);
  }

  /** Wipes a scan. @param {string} scanId */
  async dismissScan(scanId, options) {
    await this.#send('DELETE', `/v1/scans/${encodeURIComponent(scanId)}`, options);
  }

  /**
   * Keeps a reader for this caller until `release`, asking again three times per term.
   *
   * @param {string} readerId
   * @param {object} [options]
   * @param {number} [options.seconds] The term.
   * @param {Record<string, any>} [options.autoRead] What is read by itself of each card laid there; see `readings`.
   * @param {(why: unknown) => void} [options.onLost]
   * @param {AbortSignal} [options.signal]
   */
  async lease(readerId, { seconds = 30, autoRead, onLost, signal } = {}) {
    const path = `/v1/readers/${encodeURIComponent(readerId)}/lease`;
    const headers = { 'Content-Type': 'application/json' };
    const body = JSON.stringify({ seconds, auto_read: autoRead });
    const ask = () => this.#json('POST', path, { headers, body, signal });
    let state = await ask();
    let asking = Promise.resolve();
    const beat = async () => {
      try {
        state = await ask();
      } catch (error) {
        // What is no answer may be over by the next beat; an answer is the agent's word.
        if (!(error instanceof CccdProblem)) return;
        clearInterval(timer);
        onLost?.(error);
      }
    };
    const timer = setInterval(() => { asking = beat(); }, (seconds * 1000) / 3);
    const release = async () => {
      clearInterval(timer);
      await asking;
      await this.#send('DELETE', path);
    };
    return { readerId, release, get remainingMs() { return state.remaining_ms; } };
  }

  /**
   * The readings of a kiosk, each when it is over: a code that is scanned and a card that is laid on the reader make one,
   * whichever comes first. The reader is kept for this caller meanwhile. Ends when `signal` is aborted or the lease is lost.
   *
   * @param {string} readerId
   * @param {object} [options]
   * @param {Record<string, any>} [options.autoRead] What is wanted of each card, as POST /v1/readers/{id}/lease takes it.
   * @param {() => void} [options.onReady] Hears that cards are read from now on.
   * @param {AbortSignal} [options.signal]
   * @returns {AsyncGenerator<{readId: string, scanId: string, result?: any, problem?: CccdProblem}, void, undefined>}
   */
  async *readings(readerId, { autoRead = {}, onReady, signal } = {}) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    let lease;
    try {
      for await (const event of this.#stream({ signal: stop.signal })) {
        // Once it listens, so that no reading goes unheard.
        if (event === OPENED && !lease) {
          lease = await this.lease(readerId, { autoRead, signal: stop.signal, onLost: (why) => stop.abort(why) });
          onReady?.();
        }
        const { read_id: readId, reader_id: where, scan_id: scanId } = event.data ?? {};
        if (event.type === 'lease.lost' && where === readerId) return;
        if (event.type !== 'read.queued' || where !== readerId || !scanId) continue;
        try {
          yield { readId, scanId, result: await this.wait(readId, { signal: stop.signal }) };
        } catch (error) {
          if (!(error instanceof CccdProblem)) throw error;
          yield { readId, scanId, problem: error };
        }
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      stop.abort();
      await lease?.release().catch(() => {});
    }
  }

  /**
   * What happens, as it happens: readers, cards, scans and this caller's readings; nothing about a person.
   *
   * A broken stream is taken up again where it broke off, each event once. `events.missed` says that some may be gone.
   * Ends when `signal` is aborted.
   *
   * @param {{signal?: AbortSignal, lastEventId?: string | number}} [options] `lastEventId: 0` begins with the oldest
   *   event that is still known.
   * @returns {AsyncGenerator<any, void, undefined>}
   */
  async *events({ signal, lastEventId } = {}) {
    for await (const event of this.#stream({ signal, lastEventId })) {
      if (event !== OPENED) yield event;
    }
  }

  /** The registers, counted: nobody by name. @param {{signal?: AbortSignal}} [options] */
  async registers(options) {
    return (await this.#json('GET', '/v1/registers', options)).registers;
  }

  /**
   * Says who is expected in a register: a roster, CSV or XLSX, in place of the one before.
   *
   * @param {string} registerId
   * @param {Blob} file Of type `text/csv` or that of XLSX.
   * @param {{signal?: AbortSignal}} [options]
   */
  loadRoster(registerId, file, { signal } = {}) {
    const options = { headers: { 'Content-Type': file.type }, body: file, signal };
    return this.#json('POST', `/v1/registers/${encodeURIComponent(registerId)}/roster`, options);
  }

  /**
   * Takes a list of persons away, as a file; who took it is in the agent's audit.
   *
   * @param {string} registerId
   * @param {Record<string, any>} wish As POST /v1/registers/{id}/exports takes it.
   * @param {{signal?: AbortSignal}} [options]
   */
  async exportRegister(registerId, wish, { signal } = {}) {
    const headers = { 'Content-Type': 'application/json', Accept: '*/*' };
    const path = `/v1/registers/${encodeURIComponent(registerId)}/exports`;
    return (await this.#send('POST', path, { headers, body: JSON.stringify(wish), signal })).blob();
  }

  /**
   * Asks to be paired. A person at the desk then types the code that the agent shows there (`cccd-agent pair`) into the
   * page, which hands it to `confirm` of what this gives. The agent was made with a `key`.
   *
   * @param {{label: string, scopes?: string[], profiles?: string[], signal?: AbortSignal}} asked What the page is called at
   *   the desk, and what it asks for; without scopes, all that the desk's settings let a page have; without profiles, none.
   */
  async pair({ label, scopes, profiles, signal }) {
    if (!this.#key) throw new TypeError('pair: the agent was made without a key');
    const asked = { public_key: await this.#key.publicJwk(), label, scopes, profiles };
    const begun = await this.request('POST', '/v1/pairings', asked, { signal });
    const path = `/v1/pairings/${encodeURIComponent(begun.pairing_id)}/confirm`;
    /** @param {string} code As it was typed; blanks do not matter. @param {{signal?: AbortSignal}} [options] */
    const confirm = (code, options) => this.request('POST', path, { code: code.replace(/\s/g, '') }, options);
    return { pairingId: begun.pairing_id, expiresInS: begun.expires_in_s, triesLeft: begun.tries_left, confirm };
  }

  /** What this page was let in for. @param {{signal?: AbortSignal}} [options] */
  grant(options) {
    return this.#json('GET', '/v1/grants/self', options);
  }

  /** Gives that back: the page is nobody from then on. @param {{signal?: AbortSignal}} [options] */
  async unpair(options) {
    await this.#send('DELETE', '/v1/grants/self', options);
  }

  /**
   * Any call that has no method here. Gives the answer's JSON, or null where it has none.
   *
   * @param {string} method
   * @param {string} path Such as `/v1/scanners`.
   * @param {unknown} [body] Sent as JSON.
   * @param {{signal?: AbortSignal}} [options]
   */
  async request(method, path, body, options = {}) {
    const more = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    const response = await this.#send(method, path, { ...more, ...options });
    return response.status === 204 ? null : json(response);
  }

  /** @param {any} request @param {{wait: number, signal?: AbortSignal, idempotencyKey?: string}} options */
  async #start(request, { wait, signal, idempotencyKey = newKey() }) {
    /** @type {Record<string, string>} */
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey };
    if (wait > 0) headers.Prefer = `wait=${wait}`;
    const options = { headers, body: JSON.stringify(request), signal };
    let response;
    try {
      response = await this.#send('POST', '/v1/reads', options);
    } catch (error) {
      // The connection broke before the answer: the same key asks for the same reading, never for a second one.
      if (!(error instanceof CccdUnreachable) || signal?.aborted) throw error;
      response = await this.#send('POST', '/v1/reads', options);
    }
    return { status: response.status, body: await json(response) };
  }

  async #follow(readId, { onProgress, onPartial, signal }) {
    const events = this.#stream({ signal });
    let next = events.next();
    // Awaited below, or given up with the stream.
    next.catch(() => {});
    for (;;) {
      const heard = await Promise.race([next, pause(LOOK_ANYWAY_MS, signal)]);
      signal.throwIfAborted();
      const event = heard?.value;
      if (heard) {
        next = events.next();
        next.catch(() => {});
        const ours = event === OPENED || event?.type === 'events.missed' || event?.data?.read_id === readId;
        if (!ours) continue;
      }
      const read = await this.status(readId, { signal });
      // A reading may be over before its events are heard.
      if (onPartial && (event?.type === 'read.partial' || read.state === 'completed')) {
        const tell = onPartial;
        onPartial = undefined;
        tell(await this.partial(readId, { signal }));
      }
      onProgress?.(read);
      if (read.state === 'completed' || read.state === 'expired') return this.result(readId, { signal });
      if (read.state === 'failed') throw new CccdProblem(read.problem);
    }
  }

  /** @param {{signal?: AbortSignal, lastEventId?: string | number}} options @returns {AsyncGenerator<any, void, undefined>} */
  async *#stream({ signal, lastEventId }) {
    let last = lastEventId === undefined ? undefined : String(lastEventId);
    let comeBackMs = 1_000;
    while (!signal?.aborted) {
      // The stream's own signal, so that whoever stops listening hangs up too.
      const hangUp = new AbortController();
      const abort = () => hangUp.abort();
      signal?.addEventListener('abort', abort, { once: true });
      try {
        /** @type {Record<string, string>} */
        const headers = { Accept: 'text/event-stream' };
        if (last !== undefined) headers['Last-Event-ID'] = last;
        const response = await this.#send('GET', '/v1/events', { headers, signal: hangUp.signal });
        yield OPENED;
        for await (const message of messages(response.body, hangUp)) {
          if (message.retry !== undefined) comeBackMs = message.retry;
          if (message.data === undefined) continue;
          const event = JSON.parse(message.data);
          if (message.id !== undefined) last = message.id;
          yield event;
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof CccdProblem && !error.retryable) throw error;
      } finally {
        signal?.removeEventListener('abort', abort);
        hangUp.abort();
      }
      await pause(comeBackMs, signal);
    }
  }

  async #json(method, path, options) {
    return json(await this.#send(method, path, options));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{headers?: Record<string, string>, body?: BodyInit, signal?: AbortSignal}} [options]
   * @returns {Promise<Response>}
   */
  async #send(method, path, { headers = {}, body, signal } = {}) {
    const url = this.#url + path;
    const proof = await this.#authorize({ method, url });
    /** @type {any} */
    const init = { method, headers: { Accept: 'application/json', ...headers, ...proof }, body, signal };
    // No cookie is ever of use, and no answer is to be kept by the browser.
    Object.assign(init, { credentials: 'omit', cache: 'no-store', redirect: 'error' }, addressSpace(url));
    let response;
    try {
      response = await this.#fetch(url, init);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw new CccdUnreachable(`no answer from ${this.#url}`, error);
    }
    if (response.ok) return response;
    const type = response.headers.get('Content-Type') ?? '';
    if (type.startsWith('application/problem+json')) throw new CccdProblem(await json(response));
    throw new CccdUnreachable(`${this.#url} answered ${response.status}, and not as the agent does`);
  }
}

/**
 * A key that a page proves with each request who it is (DPoP, RFC 9449). The browser keeps it, in IndexedDB, and hands its
 * private half to nobody, this page included. It takes a secure context: https, or loopback.
 */
export class PageKey {
  #pair;
  #name;

  /** @param {CryptoKeyPair} pair @param {string} name */
  constructor(pair, name) {
    this.#pair = pair;
    this.#name = name;
  }

  /**
   * The page's key: the one it has, or else a new one.
   *
   * @param {{name?: string}} [options] Which, where a page has several.
   */
  static async open({ name = 'page' } = {}) {
    if (!globalThis.indexedDB || !globalThis.crypto?.subtle) {
      throw new Error('a page has keys over https, or from this machine, and in a browser only');
    }
    const there = await keys('readonly', (store) => store.get(name));
    if (there) return new PageKey(there, name);
    const made = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    // Another tab may have been quicker: then its key is the page's.
    await keys('readwrite', (store) => store.add(made, name)).catch(() => {});
    return new PageKey(await keys('readonly', (store) => store.get(name)), name);
  }

  /** The public half. */
  async publicJwk() {
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', this.#pair.publicKey);
    return { kty, crv, x, y };
  }

  /** The header that proves a request, for this one request. */
  authorize = async (/** @type {{method: string, url: string}} */ { method, url }) => {
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await this.publicJwk() };
    const claims = {
      jti: newKey(),
      htm: method,
      htu: url.replace(/[?#].*$/, ''),
      iat: Math.floor(Date.now() / 1000),
    };
    const text = (/** @type {unknown} */ value) => base64url(new TextEncoder().encode(JSON.stringify(value)));
    const signed = `${text(header)}.${text(claims)}`;
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    const signature = await crypto.subtle.sign(algorithm, this.#pair.privateKey, new TextEncoder().encode(signed));
    return { DPoP: `${signed}.${base64url(new Uint8Array(signature))}` };
  };

  /** Throws the key away; whatever it was let in for is to be given back before (`unpair`). */
  async forget() {
    await keys('readwrite', (store) => store.delete(this.#name));
  }
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}

/**
 * One look into the store of this page's keys.
 *
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>}
 */
function keys(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('cccd-agent', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const base = opening.result;
      const transaction = base.transaction('keys', mode);
      const request = act(transaction.objectStore('keys'));
      transaction.oncomplete = () => { base.close(); resolve(request.result); };
      transaction.onabort = () => { base.close(); reject(transaction.error); };
    };
  });
}

/** What the internal stream yields once it is open. */
const OPENED = Object.freeze({ type: 'stream.opened' });

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    throw new CccdUnreachable('the answer broke off, or is no JSON', error);
  }
}

/**
 * The messages of an event stream (HTML, 9.2.6), each when it is whole; what a broken stream leaves unfinished is dropped.
 *
 * @param {any} body
 * @param {AbortController} hangUp
 */
async function* messages(body, hangUp) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  let message = /** @type {any} */ ({});
  for (;;) {
    const watch = setTimeout(() => hangUp.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(watch));
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    // A CR at the very end may be half of a CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new CccdUnreachable('a line of the event stream has no end');
    for (const line of lines) {
      if (line === '') {
        yield message;
        message = {};
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') message.data = message.data === undefined ? text : `${message.data}\n${text}`;
      else if (name === 'id' && !text.includes('\0')) message.id = text;
      else if (name === 'retry' && /^[0-9]{1,6}$/.test(text)) message.retry = Number(text);
    }
  }
}

/** Resolves to nothing after a while, or when the signal is aborted. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(undefined);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve(undefined);
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** A key nobody else has. It need be no secret. */
function newKey() {
  const bytes = new Uint8Array(16);
  // Node 18 has no global crypto.
  if (globalThis.crypto) globalThis.crypto.getRandomValues(bytes);
  else bytes.forEach((_, at) => { bytes[at] = Math.random() * 256; });
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Tells the browser that loopback is meant, which lifts mixed-content blocking once the person has allowed it. Browsers
 * that know another set of words throw at this one, and get none.
 */
function addressSpace(url) {
  if (!url.startsWith('http:') || globalThis.document === undefined) return {};
  try {
    const init = /** @type {any} */ ({ targetAddressSpace: 'loopback' });
    new Request(url, init);
    return init;
  } catch {
    return {};
  }
}

/** The names of the permission, the newest first: browsers know one of them, or none. */
const PERMISSIONS = ['loopback-network', 'local-network-access'];
/** Where a page keeps that the agent has answered it before. It is no secret and about nobody. */
const SEEN = 'cccd-agent-seen';

/**
 * Tells why the agent cannot be reached, or that it can: see `ProbeState` in the types, and the README.
 *
 * A browser asks the person for permission at a page's first request to loopback. `probe` makes none while that
 * question is still open, so that the page can say first why it will be asked: then `probe({ ask: true })`.
 *
 * @param {object} [options]
 * @param {boolean} [options.ask] Go on where the browser is going to ask the person.
 * @param {string} [options.url]
 * @param {string} [options.token]
 * @param {CccdAgent} [options.agent] Instead of url and token.
 * @param {string[]} [options.needs] Features the page cannot do without.
 */
export async function probe({ ask = false, url, token, agent, needs = [] } = {}) {
  agent ??= new CccdAgent({ url, token });
  const permission = await permissionState();
  const tell = (state, more = {}) => ({ state, permission, version: null, problem: null, ...words(state), ...more });
  if (permission !== 'unknown' && globalThis.isSecureContext === false) return tell('blocked', words('insecure'));
  if (permission === 'denied') return tell('blocked');
  if (permission === 'prompt' && !ask) return tell('permission-needed');
  try {
    const about = await agent.about({ signal: AbortSignal.timeout?.(permission === 'prompt' ? 60_000 : 5_000) });
    remember();
    const version = about.version ?? null;
    if (about.name !== 'cccd-agent') return tell('absent', words('stranger'));
    const lacks = needs.filter((feature) => !about.features?.includes(feature));
    if (!(about.api_level >= API_LEVEL) || lacks.length > 0) return tell('outdated', { version, lacks });
    if (about.api_level > API_LEVEL) return tell('client-outdated', { version });
    return tell('running', { version });
  } catch (error) {
    if (error instanceof CccdProblem) {
      remember();
      return tell('running', { problem: error });
    }
    // The person may just have said no.
    const now = await permissionState();
    if (now === 'denied') return { ...tell('blocked'), permission: now };
    return tell(seenBefore() ? 'stopped' : 'absent');
  }
}

/** `granted`, `denied`, `prompt`, or `unknown` where the browser has no such permission, or this is none. */
async function permissionState() {
  for (const name of PERMISSIONS) {
    try {
      const status = await globalThis.navigator?.permissions?.query(/** @type {any} */ ({ name }));
      if (status) return status.state;
    } catch {
      // Not a name this browser knows.
    }
  }
  return 'unknown';
}

function remember() {
  try {
    globalThis.localStorage?.setItem(SEEN, '1');
  } catch {
    // A page without storage cannot tell stopped from absent.
  }
}

function seenBefore() {
  try {
    return globalThis.localStorage?.getItem(SEEN) === '1';
  } catch {
    return false;
  }
}

function words(state) {
  const [en, vi] = WORDS[state];
  return { explanation: { en, vi } };
}

/** @type {Record<string, [string, string]>} */
const WORDS = {
  running: ['The agent runs.', 'Chương trình đọc thẻ đang chạy.'],
  'permission-needed': [
    'The browser will ask whether this page may reach programs on this computer. Answer "Allow": the card reader is one.',
    'Trình duyệt sẽ hỏi có cho trang này truy cập chương trình trên máy này không. Hãy chọn "Cho phép" để dùng đầu đọc thẻ.',
  ],
  blocked: [
    'The browser does not let this page reach programs on this computer. Allow it in the site settings beside the address, '
      + 'or have the administrator allow it by policy (LoopbackNetworkAllowedForUrls).',
    'Trình duyệt đang chặn trang này truy cập chương trình trên máy. Hãy cho phép trong phần cài đặt trang web cạnh thanh '
      + 'địa chỉ, hoặc nhờ quản trị viên cho phép bằng chính sách (LoopbackNetworkAllowedForUrls).',
  ],
  insecure: [
    'This page came over plain http, and the browser lets no such page reach programs on this computer. It takes https, or '
      + 'the policy LoopbackNetworkAllowedForUrls.',
    'Trang này dùng http không mã hóa nên trình duyệt không cho truy cập chương trình trên máy. Cần chuyển sang https, hoặc '
      + 'dùng chính sách LoopbackNetworkAllowedForUrls.',
  ],
  stopped: [
    'The agent has answered here before and does not now: it is stopped, or this page has been taken off its list of callers.',
    'Chương trình đọc thẻ từng trả lời trên máy này nhưng nay không trả lời: chương trình đã dừng, hoặc trang này không còn '
      + 'trong danh sách được phép gọi.',
  ],
  absent: [
    'No agent answers on this computer: it is not installed or not started, or this page is not on its list of callers.',
    'Không có chương trình đọc thẻ nào trả lời trên máy này: chưa cài đặt, chưa chạy, hoặc trang này không có trong danh sách '
      + 'được phép gọi.',
  ],
  stranger: [
    'Another program answers at the agent\'s address.',
    'Một chương trình khác đang trả lời ở địa chỉ của chương trình đọc thẻ.',
  ],
  outdated: ['The agent is older than this page needs: update it.', 'Chương trình đọc thẻ đã cũ: cần cập nhật.'],
  'client-outdated': [
    'The agent is newer than this page knows: update the page\'s client.',
    'Chương trình đọc thẻ mới hơn trang này: cần cập nhật thư viện của trang.',
  ],
};
