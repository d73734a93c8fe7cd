/** What a client is known by: taken from the INVITE that opened the dialog, later requests may look different. */
const FINGERPRINTS = ['call-id', 'contact', 'content-type', 'organization', 'server', 'user-agent'];

/** What says something of the call, in the newest request that has it. */
const CALL_DATA = [
  ...['allow', 'diversion', 'from', 'history-info', 'p-asserted-identity', 'remote-party-id', 'user-to-user'],
  ...['cisco-guid', 'x-cisco-recording-participant', 'x-broadworks-correlation-info'],
  ...['x-audc-call-id', 'x-genesys-calluuid'],
];

/** Headers of a PBX's own that carry an id of the call, whatever it is called: `X-PBX-Call-ID`, `X-Session-UUID`. Lower case. */
const isOwnId = (name: string): boolean =>
  /^x-.*(?:call-?id|ucid|gcid|guid|uuid|correlation-?id)$/.test(name);

/** The SIP headers `describeCall` can make use of beside those of `isOwnId`, in lower case. */
export const VENDOR_HEADERS: readonly string[] = [...FINGERPRINTS, ...CALL_DATA];
const TELLING: ReadonlySet<string> = new Set(VENDOR_HEADERS);

/** More than a few are no ids. */
const MOST_OWN = 10;

/** Those of a message that `describeCall` can make use of, by name in lower case. `headers` are all it has, in any spelling. */
export function headersToKeep(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  let own = 0;
  for (const [written, value] of Object.entries(headers)) {
    const name = written.toLowerCase();
    if (typeof value !== 'string' || value === '') continue;
    if (TELLING.has(name) || (isOwnId(name) && own++ < MOST_OWN)) kept[name] ??= value;
  }
  return kept;
}

/** Names of headers with an id of the PBX's own, in lower case. */
export const ownIdsIn = (names: readonly string[]): readonly string[] =>
  [...new Set(names.map((name) => name.toLowerCase()))].filter(isOwnId).slice(0, MOST_OWN);

/** The headers of a dialog after one more request: who the client is stays, what it says of the call is renewed. */
export const mergeHeaders = (
  before: Readonly<Record<string, string>> | undefined,
  fresh: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => {
  if (before === undefined) return fresh;
  const news = Object.entries(fresh).filter(([name]) => CALL_DATA.includes(name) || isOwnId(name));
  return { ...before, ...Object.fromEntries(news) };
};
