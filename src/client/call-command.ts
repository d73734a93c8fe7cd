import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { placeCall, type CallOptions, type CallOutcome, type CallReport, type LegReport } from './call.ts';
import type { TlsTrust } from './channel.ts';
import { SUITE_NAMES, type SuiteName } from '../media/srtp/suites.ts';
import { ClientError } from './client-error.ts';
import { encodeTones, TEST_CODECS, type TestCodec } from './encoded-tones.ts';
import { bracketed, type Transport } from './target.ts';
import { CALLEE_VOICE, CALLER_VOICE } from './tones.ts';

const USAGE = [
  'sealtape call: places a recorded test call, as a PBX would',
  '',
  '  --to sip:HOST[:PORT]     the recording server (sip:127.0.0.1:5060)',
  '  --seconds N              length of the call (5)',
  '  --transport udp|tcp|tls  transport of the signalling (udp); the port of TLS is 5061',
  '  --ca FILE                TLS: PEM of the authority that signed the server certificate',
  '  --insecure               TLS: take any certificate',
  '  --cert FILE --key FILE   TLS: PEM of the certificate to show, and its key',
  '  --srtp [SUITE]           encrypts the audio, keys in the SDP (AES_CM_128_HMAC_SHA1_80); needs TLS unless the trunk does without',
  '  --dtls                   the same with keys from a DTLS handshake beside the audio (DTLS-SRTP)',
  `  --codec ${TEST_CODECS.join('|')}`,
  '                           codec of both legs (pcma); g722 and opus need ffmpeg',
  '  --law pcma|pcmu          the same, older name',
  '  --caller NUMBER          number of the caller (+49301234567)',
  '  --callee NUMBER          number of the callee (+4989555010)',
  '  --json                   the whole report as JSON',
];

const MAX_SECONDS = 3600;

interface Command {
  readonly call: CallOptions;
  readonly json: boolean;
}

/**
 * Runs `sealtape call`. Lines for people, or one JSON document, go to `out`. Returns the exit code: 0 the call was placed and ended,
 * 1 it was refused or failed, 2 the arguments are wrong.
 */
export async function runCallCommand(args: readonly string[], out: (line: string) => void): Promise<number> {
  let command: Command | undefined;
  try {
    command = await readArguments(args);
  } catch (error) {
    out(`sealtape call: ${(error as Error).message}`);
    out('try: sealtape call --help');
    return 2;
  }
  if (command === undefined) {
    USAGE.forEach(out);
    return 0;
  }
  return execute(command, out);
}

async function execute(command: Command, out: (line: string) => void): Promise<number> {
  try {
    const report = await placeCall(command.call);
    (command.json ? [JSON.stringify(report, null, 2)] : describe(report)).forEach(out);
    return report.failure === undefined ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (command.json)
      out(JSON.stringify({ error: error.code, status: error.status, message: error.message }));
    else out(`The call failed: ${error.message}`);
    return error.code === 'BAD_TARGET' ? 2 : 1;
  }
}

/** Undefined when help is asked for. Throws on wrong arguments. */
async function readArguments(args: readonly string[]): Promise<Command | undefined> {
  const { values } = parseArgs({
    args: withSuite(args),
    options: {
      to: { type: 'string', default: 'sip:127.0.0.1:5060' },
      seconds: { type: 'string', default: '5' },
      transport: { type: 'string' },
      ca: { type: 'string' },
      insecure: { type: 'boolean', default: false },
      cert: { type: 'string' },
      key: { type: 'string' },
      srtp: { type: 'string' },
      dtls: { type: 'boolean', default: false },
      codec: { type: 'string' },
      law: { type: 'string', default: 'pcma' },
      caller: { type: 'string', default: '+49301234567' },
      callee: { type: 'string', default: '+4989555010' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw new ClientError('BAD_OPTION', `--seconds must be a number above 0, at most ${MAX_SECONDS}`);
  const law = oneOf<TestCodec>('--law', values.law.toLowerCase(), ['pcma', 'pcmu']);
  const codec = oneOf<TestCodec>('--codec', (values.codec ?? law).toLowerCase(), TEST_CODECS);
  const transport =
    values.transport === undefined
      ? {}
      : { transport: oneOf<Transport>('--transport', values.transport.toLowerCase(), ['udp', 'tcp', 'tls']) };
  return {
    json: values.json,
    call: {
      to: values.to,
      ...transport,
      tls: readTrust(values),
      ...encryptionOf(values),
      caller: {
        name: 'Test Caller',
        number: values.caller,
        ...(await encodeTones(CALLER_VOICE, seconds, codec)),
      },
      callee: {
        name: 'Test Callee',
        number: values.callee,
        ...(await encodeTones(CALLEE_VOICE, seconds, codec)),
      },
    },
  };
}

/** Throws ClientError BAD_OPTION for a suite that does not exist, and for both ways to keys at once. */
function encryptionOf({
  srtp,
  dtls,
}: {
  readonly srtp?: string;
  readonly dtls: boolean;
}): Pick<CallOptions, 'encryption'> {
  if (dtls && srtp !== undefined) throw new ClientError('BAD_OPTION', '--srtp and --dtls exclude each other');
  if (dtls) return { encryption: { dtls: true } };
  if (srtp === undefined) return {};
  return { encryption: { suite: oneOf<SuiteName>('--srtp', srtp.toUpperCase(), SUITE_NAMES) } };
}

/** `--srtp` alone means the suite that everybody has. */
const withSuite = (args: readonly string[]): string[] =>
  args.flatMap((arg, at) => {
    const next = args[at + 1];
    return arg === '--srtp' && (next === undefined || next.startsWith('--'))
      ? [arg, 'AES_CM_128_HMAC_SHA1_80']
      : [arg];
  });

/** Throws ClientError BAD_OPTION naming a file that cannot be read. */
function readTrust(
  files: Partial<Readonly<Record<'ca' | 'cert' | 'key', string>>> & { readonly insecure: boolean },
): TlsTrust {
  const [ca, certificate, key] = [pem('--ca', files.ca), pem('--cert', files.cert), pem('--key', files.key)];
  return {
    insecure: files.insecure,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

function pem(option: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ClientError('BAD_OPTION', `${option} ${file} cannot be read: ${(error as Error).message}`);
  }
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined)
    throw new ClientError('BAD_OPTION', `${option} must be one of ${allowed.join(', ').toLowerCase()}`);
  return found;
}

const OUTCOME: Readonly<Record<CallOutcome, string>> = {
  completed: 'completed',
  cancelled: 'cancelled',
  'ended-by-server': 'ended by the server',
  'connection-lost': 'lost',
};

function describe(report: CallReport): readonly string[] {
  const { target } = report;
  const where = `${bracketed(target.host)}:${target.port} over ${target.transport.toUpperCase()}`;
  const status = report.statusLine.replace(/^SIP\/2\.0 /, '');
  return [
    `Called ${where}: ${status} after ${Math.round(report.answerTime)} ms`,
    `SIP Call-ID ${report.callId}`,
    ...report.legs.map(describeLeg),
    `Call ${OUTCOME[report.outcome]}${report.failure === undefined ? '' : `: ${report.failure}`}`,
  ];
}

function describeLeg(leg: LegReport): string {
  const how = leg.encryption === 'none' ? leg.codec : `${leg.codec}, ${leg.encryption}`;
  const who = `Leg ${leg.label} ${leg.party.number} (${how})`;
  if (leg.sentTo === undefined) return `${who}: refused by the server`;
  return `${who}: ${leg.packets} packets, ${leg.octets} octets to ${leg.sentTo}, SHA-256 ${leg.sha256}`;
}
