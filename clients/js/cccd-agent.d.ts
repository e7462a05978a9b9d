/** The API level this client was written for. */
export const API_LEVEL: number;
/** Where the agent listens unless its settings say otherwise. */
export const DEFAULT_URL: string;

/** A sentence in the two languages of the agent. */
export interface Text {
  en: string;
  vi: string;
}

/** Whose move it is. */
export type Actor = 'user' | 'operator' | 'admin' | 'integrator';

/** A problem (RFC 9457) that the agent answered with. Decide by `code`; show `title.vi` and `remedy.vi` to the person. */
export class CccdProblem extends Error {
  constructor(problem: Record<string, unknown>);
  /** The stable name, such as `access-key-wrong`; docs/examples/problems has one of each. */
  readonly code: string;
  readonly status: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly actor: Actor;
  readonly title: Text;
  readonly remedy: Text;
  readonly detail: string;
  readonly readId: string | null;
  /** How many tries of this kind of key the chip says are left. */
  readonly triesLeft: number | null;
  /** The caller who has the reader. */
  readonly heldBy: string | null;
  readonly traceId: string | null;
}

/** The agent did not answer, or what answered is not the agent. */
export class CccdUnreachable extends Error {
  constructor(message: string, cause?: unknown);
}

/** What opens the chip: one of these. */
export type Access =
  | { can: string }
  | { id: string }
  | { qr: string }
  | { scan: string }
  | { mrz: string | { document_number: string; birth: string; expiry: string } };

/** What the caller expects of the card: plain, or by HMAC-SHA-256 under `key`. */
export interface Expectation {
  number?: string;
  name?: string;
  birth?: string;
  key?: string;
  number_hmac?: string;
  name_hmac?: string;
  birth_hmac?: string;
}

/** A reading, asked for. */
export interface ReadRequest {
  access: Access;
  /** The reader to use; without one, whichever has a card. */
  reader?: string;
  /** Whether the face is wanted. Without it the reading is much shorter. */
  portrait?: boolean;
  biometrics?: Array<'fingerprints' | 'irises'>;
  expect?: Expectation;
  nonce?: string;
  wait_for_card_s?: number;
}

/** Where a reading stands. It says nothing about a person. */
export interface Read {
  read_id: string;
  reader_id: string | null;
  state: 'waiting' | 'running' | 'paused' | 'completed' | 'expired' | 'failed';
  phase: 'waiting_for_card' | 'connecting' | 'unlocking' | 'reading' | 'checking' | 'over';
  percent: number;
  ahead: number;
  problem: Record<string, unknown> | null;
  result: string | null;
}

export interface TextField {
  value: string;
  source: string;
  verified: boolean;
}

export interface DateField {
  iso: string | null;
  printed: string;
  source: string;
  verified: boolean;
}

/** What the chip says about its holder. A field is null where the chip does not have it or it was not read. */
export interface CardRecord {
  number: TextField | null;
  old_number: TextField | null;
  name: TextField | null;
  birth: DateField | null;
  sex: TextField | null;
  nationality: TextField | null;
  ethnicity: TextField | null;
  religion: TextField | null;
  origin: TextField | null;
  residence: TextField | null;
  features: TextField | null;
  issued: DateField | null;
  expiry: (DateField & { without_end: boolean }) | null;
  father: TextField | null;
  mother: TextField | null;
  spouse: TextField | null;
  notes: Array<Record<string, unknown>>;
  /** Further fields, as docs/openapi.json describes them. */
  [field: string]: unknown;
}

/** Whether what was read is genuine. */
export interface Verdict {
  state: 'genuine' | 'not_genuine' | 'unconfirmed';
  code: string;
  reason: string;
  reason_vi: string;
  checks: Array<Record<string, unknown>>;
}

/** How a field compares with what was expected; docs/openapi.json lists the words. */
export interface Comparison {
  number?: string | null;
  name?: string | null;
  birth?: string | null;
}

/** What a reading found. */
export interface ReadResult {
  read_id: string;
  reader_id: string;
  record: CardRecord;
  portrait: { media_type: string; bytes: number; href: string } | null;
  verdict: Verdict;
  scan_agrees: boolean | null;
  expected: Comparison | null;
  finished_at: string;
  /** Further members, as docs/openapi.json describes them. */
  [member: string]: unknown;
}

/** Who the person says they are, before anything is judged. */
export interface PartialResult {
  read_id: string;
  reader_id: string;
  record: CardRecord;
  hashes: Array<Record<string, unknown>>;
}

export interface Reader {
  reader_id: string;
  name: string;
  transport: string;
  state: string;
  card: { kind: string } | null;
  held_by: string | null;
}

/** One event, as docs/asyncapi.json describes it. It says nothing about a person. */
export interface AgentEvent {
  id?: string;
  source: string;
  type: string;
  time?: string;
  subject?: string;
  data: {
    reader_id?: string;
    read_id?: string;
    scan_id?: string;
    scanner_id?: string;
    name?: string;
    kind?: string;
    phase?: Read['phase'];
    percent?: number;
    code?: string;
    transport?: string;
  };
}

/** A scanned code. Nobody signed it: it says who someone claims to be. */
export interface Scan {
  scan_id: string;
  kind: 'citizen' | 'insurance' | 'unknown';
  verified: false;
  text: string;
  citizen: Record<string, unknown> | null;
  insurance: Record<string, unknown> | null;
  notes: Array<Record<string, unknown>>;
  [member: string]: unknown;
}

/** What is read by itself of each card that is laid on a leased reader; the newest scan opens it. */
export interface AutoRead {
  /** The scanner beside the reader, where the machine has several. */
  scanner?: string;
  portrait?: boolean;
  fields?: string[];
  biometrics?: Array<'fingerprints' | 'irises'>;
  /** The consumer profile every card is read under; neither `portrait` nor `fields` stand beside it. */
  profile?: string;
  /** The register every holder is entered in. */
  register?: { name: string; session?: string };
}

/** A reading that began by itself, over: with its result, or the problem it ended in. */
export interface AutoReading {
  readId: string;
  scanId: string;
  result?: ReadResult;
  problem?: CccdProblem;
}

/** A reader kept for this caller. */
export interface Lease {
  readonly readerId: string;
  /** How long it ran on from the last beat. */
  readonly remainingMs: number;
  /** Gives the reader back. */
  release(): Promise<void>;
}

export interface Signalled {
  signal?: AbortSignal;
}

export interface Following extends Signalled {
  onProgress?: (read: Read) => void;
  onPartial?: (partial: PartialResult) => void;
}

/** What a page was let in for. */
export interface Grant {
  grant_id: string;
  label: string;
  origin: string;
  scopes: string[];
  profiles: string[];
  made_at: string;
  expires_at: string;
}

/** Who is expected, counted. */
export interface Roster {
  candidates: number;
  sessions: string[];
}

/** Who has come, counted. */
export interface Register {
  register_id: string;
  name: string;
  profile: string;
  roster: Roster | null;
  sessions: Array<{ session: string; entries: number; first_at: string; last_at: string }>;
}

/** A list that is wanted. */
export interface ExportWish {
  list: 'entries' | 'attendance' | 'manifest';
  format: 'csv' | 'xlsx';
  session?: string;
  day?: string;
}

/** A pairing that waits for its code. */
export interface Pairing {
  readonly pairingId: string;
  readonly expiresInS: number;
  readonly triesLeft: number;
  /** Hands over what the person at the desk typed; a wrong code is a `CccdProblem` with `triesLeft`. */
  confirm(code: string, options?: Signalled): Promise<Grant>;
}

/** A key that the browser keeps for this page and gives to nobody; it proves each request (DPoP, RFC 9449). */
export class PageKey {
  /** The page's key: the one it has, or else a new one. */
  static open(options?: { name?: string }): Promise<PageKey>;
  publicJwk(): Promise<{ kty: string; crv: string; x: string; y: string }>;
  readonly authorize: (request: { method: string; url: string }) => Promise<Record<string, string>>;
  /** Throws the key away. */
  forget(): Promise<void>;
}

export interface AgentOptions {
  url?: string;
  token?: string;
  /** Instead of a token: makes the headers that prove who calls, anew for each request. */
  authorize?: (request: { method: string; url: string }) => Record<string, string> | Promise<Record<string, string>>;
  /** Instead of a token: the key of a page that is paired, or asks to be. */
  key?: PageKey;
  fetch?: typeof fetch;
}

/** The agent on this machine, as one caller sees it. */
export class CccdAgent {
  constructor(options?: AgentOptions);
  readonly url: string;
  about(options?: Signalled): Promise<{
    name: string;
    version: string;
    api_version: string;
    api_level: number;
    features: string[];
  }>;
  readers(options?: Signalled): Promise<Reader[]>;
  /** Reads one card: asks, waits, and gives the result. */
  read(request: ReadRequest, options?: Following & { idempotencyKey?: string }): Promise<ReadResult>;
  /** Asks for a reading and does not wait for it. */
  start(request: ReadRequest, options?: Signalled & { idempotencyKey?: string }): Promise<Read>;
  /** Waits for the end of a reading. An aborted signal calls the reading off. */
  wait(readId: string, options?: Following): Promise<ReadResult>;
  status(readId: string, options?: Signalled): Promise<Read>;
  result(readId: string, options?: Signalled): Promise<ReadResult>;
  partial(readId: string, options?: Signalled): Promise<PartialResult>;
  portrait(readId: string, options?: Signalled): Promise<Blob>;
  /** Calls a reading off, or wipes its result. */
  cancel(readId: string, options?: Signalled): Promise<Read>;
  postScan(pictureOrText: Blob | string, options?: Signalled): Promise<Scan[]>;
  fetchScan(scanId: string, options?: Signalled): Promise<Scan>;
  dismissScan(scanId: string, options?: Signalled): Promise<void>;
  /** Keeps a reader for this caller, asking again three times per term. */
  lease(
    readerId: string,
    options?: Signalled & { seconds?: number; autoRead?: AutoRead; onLost?: (why: unknown) => void },
  ): Promise<Lease>;
  /** The readings of a kiosk, each when it is over: a code scanned and a card laid down make one. */
  readings(
    readerId: string,
    options?: Signalled & { autoRead?: AutoRead; onReady?: () => void },
  ): AsyncGenerator<AutoReading, void, undefined>;
  /** The registers, counted: nobody by name. */
  registers(options?: Signalled): Promise<Register[]>;
  /** Puts a roster, CSV or XLSX, in place of the one before. */
  loadRoster(registerId: string, file: Blob, options?: Signalled): Promise<Roster>;
  /** Takes a list of persons away, as a file. */
  exportRegister(registerId: string, wish: ExportWish, options?: Signalled): Promise<Blob>;
  /** Asks to be paired; a person at the desk types the code that the agent shows there. */
  pair(asked: Signalled & { label: string; scopes?: string[]; profiles?: string[] }): Promise<Pairing>;
  /** What this page was let in for. */
  grant(options?: Signalled): Promise<Grant>;
  /** Gives that back. */
  unpair(options?: Signalled): Promise<void>;
  /** Any call that has no method here; `body` is sent as JSON. */
  request(method: string, path: string, body?: unknown, options?: Signalled): Promise<any>;
  /** What happens, as it happens; taken up again where a stream broke off, each event once. */
  events(options?: Signalled & { lastEventId?: string | number }): AsyncGenerator<AgentEvent, void, undefined>;
}

/**
 * - `running`: it answers; `problem` says so where it does not take this caller.
 * - `stopped`: it has answered this page before and does not now.
 * - `absent`: nothing answers, and nothing has.
 * - `permission-needed`: the browser will ask the person; say why, then probe with `ask: true`.
 * - `blocked`: the browser or its policy says no.
 * - `outdated`: the agent is older than the page needs. `client-outdated`: the other way round.
 */
export type ProbeState =
  | 'running'
  | 'stopped'
  | 'absent'
  | 'permission-needed'
  | 'blocked'
  | 'outdated'
  | 'client-outdated';

export interface ProbeAnswer {
  state: ProbeState;
  permission: 'granted' | 'denied' | 'prompt' | 'unknown';
  version: string | null;
  /** The features in `needs` that it does not have. */
  lacks?: string[];
  problem: CccdProblem | null;
  explanation: Text;
}

/** Tells why the agent cannot be reached, or that it can. */
export function probe(options?: {
  ask?: boolean;
  url?: string;
  token?: string;
  agent?: CccdAgent;
  needs?: string[];
}): Promise<ProbeAnswer>;
