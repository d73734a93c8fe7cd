import { expect, test } from '@jest/globals';
import { infoFields, type RecordingInfo } from '../../src/evidence/info-fields.ts';
import { formatInfo } from '../../src/evidence/info.ts';

const start = Date.UTC(2026, 10, 23, 18, 45, 30, 123);

const info: RecordingInfo = {
  id: '0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b11',
  startedAt: start,
  endedAt: start + 61_500,
  timeZone: 'Europe/Berlin',
  status: 'complete',
  endReason: 'bye',
  direction: 'in',
  directionSource: 'callee is on our side',
  caller: { name: 'Zoë', number: '+49301234567', source: 'metadata participant 1', confidence: 'high' },
  callee: { source: 'nowhere' },
  sipCallId: 'abc@pbx',
  pbxCallId: { value: '77', source: 'X-Call-ID' },
  trunk: 'main',
  client: 'udp 192.0.2.1:5060',
  pbxSoftware: 'PBX 1.2',
  recorderVersion: '0.1.0',
  installation: 'fra1',
  files: [{ name: 'r.wav', codec: 'PCMA', bytes: 100, samples: 50, channels: ['caller', 'callee'] }],
  channelSource: 'labels',
  legs: [
    {
      name: 'caller',
      codecs: ['PCMA'],
      ssrcs: ['0badcafe'],
      sources: ['192.0.2.1:4000'],
      clockRate: 8000,
      firstSample: 800,
      expected: 400,
      received: 399,
      lost: 1,
      late: 0,
      duplicate: 2,
      reordered: 3,
      whilePaused: 0,
      rejected: 0,
      telephoneEvents: 0,
      jitter: 1.25,
      jitterMax: 7,
      gaps: [{ from: 8000, to: 8160, cause: 'lost', packets: 1 }],
      gapCount: 1,
    },
  ],
  participants: [{ id: 'p1', name: 'Zoë', aor: 'sip:zoe@pbx' }],
  metadataStatus: 'complete',
  warnings: ['no group'],
  previous: { fileName: 'before', index: 1040, signature: 'c2ln' },
  nonce: '00112233445566778899aabbccddeeff',
  clock: 'unsynced',
  signingKey: 'ab'.repeat(32),
  logOrigin: 'bank.example/siprec/fra1/rec01/e1',
  logIndex: 1042,
};

test('the info file has its documented lines in their documented order', () => {
  expect(formatInfo(infoFields(info)).toString().split('\n')).toEqual([
    'Recording-Id: 0193f0c2-7a10-7cde-b5c1-0d5f0f6a2b11',
    'Started: 2026-11-23T18:45:30.123Z',
    'Started-Local: 2026-11-23 19:45:30 Europe/Berlin',
    'Ended: 2026-11-23T18:46:31.623Z',
    'Ended-Local: 2026-11-23 19:46:31 Europe/Berlin',
    'Duration: 61.500 s',
    'Status: complete',
    'End-Reason: bye',
    'Direction: in',
    'Direction-Source: callee is on our side',
    'Caller-Name: Zoë',
    'Caller-Number: +49301234567',
    'Caller-Source: metadata participant 1',
    'Caller-Confidence: high',
    'Callee-Source: nowhere',
    'SIP-Call-ID: abc@pbx',
    'PBX-Call-ID: 77',
    'PBX-Call-ID-Source: X-Call-ID',
    'Trunk: main',
    'Client: udp 192.0.2.1:5060',
    'PBX-Software: PBX 1.2',
    'Recorder-Version: 0.1.0',
    'Installation: fra1',
    'Codec: PCMA',
    'File-1: r.wav',
    'File-1-Codec: PCMA',
    'File-1-Bytes: 100',
    'File-1-Samples: 50',
    'File-1-Channels: 2 (left caller, right callee)',
    'Channel-Source: labels',
    'Caller-First-Packet: 0.100 s after the start',
    'Caller-Codecs: PCMA',
    'Caller-Sources: 192.0.2.1:4000',
    'Caller-SSRCs: 0badcafe',
    'Caller-Packets-Expected: 400',
    'Caller-Packets-Received: 399',
    'Caller-Packets-Lost: 1',
    'Caller-Packet-Loss: 0.25 percent',
    'Caller-Packets-Late: 0',
    'Caller-Packets-Duplicate: 2',
    'Caller-Packets-Reordered: 3',
    'Caller-Packets-While-Paused: 0',
    'Caller-Packets-Rejected: 0',
    'Caller-Encryption: none',
    'Caller-Telephone-Events: 0',
    'Caller-Jitter: 1.3 ms, at most 7.0 ms',
    'Caller-Gaps: 1',
    'Caller-Gap-1: lost; 2026-11-23T18:45:31.123Z to 2026-11-23T18:45:31.143Z; 1.000 s to 1.020 s; packets 1',
    'Participant-1: id p1; name Zoë; aor sip:zoe@pbx',
    'Metadata-Status: complete',
    'Warning-1: no group',
    'Previous-Recording: before',
    'Previous-Index: 1040',
    'Previous-Signature: c2ln',
    'Nonce: 00112233445566778899aabbccddeeff',
    'Clock: unsynced',
    `Signing-Key: sha256:${'ab'.repeat(32)}`,
    'Log-Origin: bank.example/siprec/fra1/rec01/e1',
    'Log-Index: 1042',
    '',
  ]);
});

test('what a client says beyond that is stated with where it came from', () => {
  const concluded = { value: 'alice', source: 'userID', confidence: 'high', rule: '5.3' };
  const lines = formatInfo(
    infoFields({
      ...info,
      directionConfidence: 'high',
      directionRule: '5.2-1',
      caller: { number: '1', source: 'callType', confidence: 'high', rule: '5.1-1' },
      pbxCallId: { value: '00FA080004', source: 'User-to-User', confidence: 'high', rule: '5.4' },
      user: concluded,
      group: { value: 'sales', source: 'groupID' },
      redirects: [{ kind: 'last', value: '4711', source: 'lastRedirectNumber' }],
      pbxCallIds: [
        { kind: 'ucid', value: '00FA080004', source: 'User-to-User', confidence: 'high', rule: '5.4' },
      ],
      related: [{ kind: 'ucid', value: '00FA080004' }],
      profile: 'avaya',
      profileSource: 'recognised by its labels',
    }),
  )
    .toString()
    .split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'Direction-Confidence: high',
      'Direction-Rule: 5.2-1',
      'Caller-Rule: 5.1-1',
      'User-Rule: 5.3',
      'User: alice',
      'User-Source: userID',
      'User-Confidence: high',
      'Group: sales',
      'Group-Source: groupID',
      'Redirect-1: last 4711; from lastRedirectNumber',
      'PBX-Call-ID-1: ucid 00FA080004; from User-to-User; confidence high; rule 5.4',
      'PBX-Call-ID-Confidence: high',
      'PBX-Call-ID-Rule: 5.4',
      'Related-1: ucid 00FA080004',
      'Profile: avaya',
      'Profile-Source: recognised by its labels',
    ]),
  );
  expect(new Set(lines.map((line) => line.split(':')[0])).size).toBe(lines.length);
});

test('the first recording of a log says that none was before it', () => {
  const lines = formatInfo(infoFields({ ...info, previous: undefined, timeZone: 'UTC' })).toString();
  expect(lines).toContain('Previous-Recording: -\nPrevious-Index: -\nPrevious-Signature: -\n');
  expect(lines).not.toContain('Started-Local');
});
