/** What a client is known by: taken from the INVITE that opened the dialog, later requests may look different. */
const FINGERPRINTS = ['call-id', 'contact', 'content-type', 'organization', 'server', 'user-agent'];

/** What says something of the call, in the newest request that has it. */
const CALL_DATA = [
  ...['allow', 'diversion', 'from', 'history-info', 'p-asserted-identity', 'remote-party-id', 'user-to-user'],
  ...['cisco-guid', 'x-cisco-recording-participant', 'x-broadworks-correlation-info'],
  ...['x-audc-call-id', 'x-genesys-calluuid'],
];

/** The SIP headers `describeCall` can make use of, in lower case. */
export const VENDOR_HEADERS: readonly string[] = [...FINGERPRINTS, ...CALL_DATA];

/** The headers of a dialog after one more request: who the client is stays, what it says of the call is renewed. */
export const mergeHeaders = (
  before: Readonly<Record<string, string>> | undefined,
  fresh: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => {
  if (before === undefined) return fresh;
  const news = Object.entries(fresh).filter(([name]) => CALL_DATA.includes(name));
  return { ...before, ...Object.fromEntries(news) };
};
