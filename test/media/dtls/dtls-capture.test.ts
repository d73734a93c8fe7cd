import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { CaptureLine } from '../../../src/media/capture.ts';
import { DtlsEndpoint } from '../../../src/media/dtls/dtls-endpoint.ts';
import { makeDtlsIdentity, type DtlsIdentity } from '../../../src/media/dtls/dtls-identity.ts';
import type { DtlsTerms } from '../../../src/media/dtls/dtls-line.ts';
import { DtlsSession } from '../../../src/media/dtls/dtls-session.ts';
import type { CaptureSecurity } from '../../../src/media/line-security.ts';
import { threadSrtp } from '../../../src/media/srtp/load-engine.ts';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.ts';
import { newMasterKey, SrtpSender } from '../../../src/media/srtp/srtp-sender.ts';
import { readWav } from '../../support/wav.ts';
import { aLine, EngineHarness } from '../engine-harness.ts';
import { iceCheck } from '../ice/check-builder.ts';
import { senderReport } from '../rtcp-builder.ts';
import { octets, rtp } from '../rtp-builder.ts';

const PORT = 20_000;
const SOURCE = '192.0.2.1:4000';

let ours: DtlsIdentity;
let theirs: DtlsIdentity;
let harness: EngineHarness;

beforeAll(async () => {
  ours = await makeDtlsIdentity(Date.now());
  theirs = await makeDtlsIdentity(Date.now());
});
beforeEach(async () => {
  harness = await EngineHarness.create(undefined, undefined, ours);
});
afterEach(() => harness.dispose());

const announced = (identity: DtlsIdentity): DtlsTerms['fingerprints'] => [
  { hash: 'sha-256', value: identity.fingerprint },
];

const lineWith = (security: CaptureSecurity | undefined): CaptureLine => ({
  ...aLine(0, 'mixed'),
  sources: ['192.0.2.0/24'],
  ...(security && { security }),
});

const passive = (identity = theirs): CaptureLine =>
  lineWith({ dtls: { role: 'passive', fingerprints: announced(identity) } });

/** The other end of the line: shakes hands over the harness, then sends what it has to say. */
class Phone {
  readonly #endpoint: DtlsEndpoint;
  readonly #source: string;
  session: DtlsSession | undefined;
  #sender: SrtpSender | undefined;
  #sequence = 0;

  readonly #port: number;

  constructor(identity: DtlsIdentity, profiles?: string, source = SOURCE, port = PORT) {
    this.#endpoint = new DtlsEndpoint(identity, profiles);
    this.#source = source;
    this.#port = port;
  }

  /** Sends a report. */
  report(compound: Buffer): void {
    harness.receiver.deliver(PORT + 1, harness.wall, compound, this.#source);
  }

  get sender(): SrtpSender | undefined {
    return this.#sender;
  }

  begin(): void {
    this.session = this.#endpoint.connect();
  }

  /** Exchanges datagrams until nobody has anything to say. */
  shakeHands(): void {
    for (let turn = 0; turn < 20; turn += 1) {
      for (const datagram of this.session?.outgoing() ?? [])
        harness.receiver.deliver(this.#port, harness.wall, datagram, this.#source);
      harness.advanceTo(harness.elapsed + 20);
      for (const { datagram, port } of harness.receiver.sent.splice(0))
        if (port === this.#port) this.#take(datagram);
    }
    this.#takeKeys();
  }

  /** As passive end; returns what the other end needs to finish, without sending it. */
  shakeHandsUpToTheLastFlight(): readonly Buffer[] {
    for (let turn = 0; turn < 20; turn += 1) {
      harness.advanceTo(harness.elapsed + 20);
      for (const { datagram } of harness.receiver.sent.splice(0)) this.#take(datagram);
      const flight = this.session?.outgoing() ?? [];
      if (this.session?.state.name === 'established') {
        this.#takeKeys();
        return flight;
      }
      for (const datagram of flight) harness.receiver.deliver(PORT, harness.wall, datagram, this.#source);
    }
    return [];
  }

  #takeKeys(): void {
    const keys = this.session?.exportKeys();
    if (keys !== undefined) this.#sender = new SrtpSender(threadSrtp(), keys.own);
  }

  /** Sends so many packets of 20 ms, the next of one stream. */
  say(count: number, sender = this.#sender): void {
    for (let index = 0; index < count; index += 1) {
      const clock = this.#sequence * 160;
      const packet = rtp({
        sequenceNumber: this.#sequence,
        timestamp: clock,
        ssrc: 7,
        payload: octets(clock, 160),
      });
      this.#sequence += 1;
      const room = Buffer.concat([packet, Buffer.alloc(sender?.overhead ?? 0)]);
      sender?.protect(room, packet.length);
      harness.advanceTo(harness.elapsed + 20);
      harness.receiver.deliver(PORT, harness.wall, room, this.#source);
    }
  }

  #take(datagram: Buffer): void {
    if (this.session !== undefined) {
      this.session.take(datagram);
      return;
    }
    const heard = this.#endpoint.listen(datagram, 'recorder');
    if (heard instanceof DtlsSession) this.session = heard;
    else for (const answer of heard) harness.receiver.deliver(PORT, harness.wall, answer, this.#source);
  }
}

const audioOf = (path: string | undefined): Buffer => readWav(path ?? '').audio[0] ?? Buffer.alloc(0);

/** What was said stands in the file from packet `from` on, octet for octet. */
const contains = (path: string | undefined, from: number, count: number): boolean =>
  audioOf(path).includes(octets(from * 160, count * 160));

describe('a DTLS line (SRTP-6)', () => {
  test('we are passive: heard after the handshake, octet for octet; what comes before is counted', async () => {
    await harness.engine.open(harness.request([passive()]));
    const phone = new Phone(theirs);
    phone.say(5);
    phone.begin();
    phone.shakeHands();
    phone.say(50);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({
      encryption: 'AEAD_AES_256_GCM',
      keyExchange: expect.stringMatching(/^DTLS, passive, keys after \d+ ms$/) as unknown,
      beforeKeys: 5,
      unauthentic: 0,
      rejected: 5,
      received: 50,
      octets: 8000,
    });
    expect(contains(result.files[0]?.path, 5, 50)).toBe(true);
    expect(await harness.engine.totals()).toMatchObject({ handshakesFailed: 0, unauthentic: 0 });
  });

  test.each([
    ['SRTP_AES128_CM_SHA1_80', 'AES_CM_128_HMAC_SHA1_80'],
    ['SRTP_AES128_CM_SHA1_32', 'AES_CM_128_HMAC_SHA1_32'],
  ])('we are active: the handshake goes to the address of the offer, %s', async (profile, suite) => {
    const terms: DtlsTerms = { role: 'active', fingerprints: announced(theirs), peer: SOURCE };
    await harness.engine.open(harness.request([lineWith({ dtls: terms })]));
    harness.advanceTo(40);
    expect(harness.receiver.sent.map(({ to }) => to)).toEqual([SOURCE]);
    const phone = new Phone(theirs, profile);
    phone.shakeHands();
    phone.say(20);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ encryption: suite, received: 20, unauthentic: 0 });
    expect(result.legs[0]?.keyExchange).toMatch(/^DTLS, active/);
    expect(contains(result.files[0]?.path, 0, 20)).toBe(true);
  });

  test('we are active: audio that overtakes the end of the handshake is heard', async () => {
    const terms: DtlsTerms = { role: 'active', fingerprints: announced(theirs), peer: SOURCE };
    await harness.engine.open(harness.request([lineWith({ dtls: terms })]));
    const phone = new Phone(theirs);
    // The client has its keys; its last flight and its first packets are still on their way to us.
    const last = phone.shakeHandsUpToTheLastFlight();
    expect(last.length).toBeGreaterThan(0);
    phone.say(5);
    for (const datagram of last) harness.receiver.deliver(PORT, harness.wall, datagram, SOURCE);
    phone.say(5);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 10, beforeKeys: 0, rejected: 0, lost: 0 });
    expect(contains(result.files[0]?.path, 0, 10)).toBe(true);
  });

  test('we are active, and where the client is shows ICE: the handshake goes there, and waits for it', async () => {
    const dtls: DtlsTerms = { role: 'active', fingerprints: announced(theirs), afterChecks: true };
    const ice = { ufrag: 'ours', password: 'our-password-of-22-chars', theirUfrag: 'them' };
    await harness.engine.open(harness.request([{ ...lineWith({ dtls }), ice }]));
    harness.advanceTo(1000);
    expect(harness.receiver.sent).toEqual([]);
    const check = iceCheck({ username: 'ours:them', password: ice.password, nominates: true });
    harness.receiver.deliver(PORT, harness.wall, check, SOURCE);
    // Its answer.
    harness.receiver.sent.length = 0;
    const phone = new Phone(theirs);
    phone.shakeHands();
    phone.say(20);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 20, connectivity: `ICE, ${SOURCE} chosen` });
    expect(result.legs[0]?.keyExchange).toMatch(/^DTLS, active, keys/);
  });

  test('we are active, and the client is outside the networks of its trunk: nothing is sent there', async () => {
    const terms: DtlsTerms = { role: 'active', fingerprints: announced(theirs), peer: '198.51.100.1:9' };
    await harness.engine.open(harness.request([lineWith({ dtls: terms })]));
    harness.advanceTo(5000);
    expect(harness.receiver.sent).toEqual([]);
    expect((await harness.close()).legs[0]?.keyExchange).toMatch(/outside the media networks/);
  });

  test('a certificate that was not announced gives no keys; the right one still comes through', async () => {
    await harness.engine.open(harness.request([passive()]));
    const stranger = new Phone(ours, undefined, '192.0.2.66:6000');
    stranger.begin();
    stranger.shakeHands();
    stranger.say(10);
    expect(harness.log[0]).toMatch(/certificate of 192\.0\.2\.66:6000 is not the one.*port 20000/);
    expect((await harness.engine.totals()).handshakesFailed).toBe(1);
    const phone = new Phone(theirs);
    phone.begin();
    phone.shakeHands();
    phone.say(10);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 10, beforeKeys: 10, sources: [SOURCE] });
  });

  test('datagrams of a handshake from outside the networks are not even looked at', async () => {
    await harness.engine.open(harness.request([passive()]));
    const stranger = new Phone(theirs, undefined, '198.51.100.1:4000');
    stranger.begin();
    stranger.shakeHands();
    expect(harness.receiver.sent).toEqual([]);
    expect(stranger.session?.state.name).toBe('handshaking');
    expect((await harness.close()).legs[0]?.foreign).toBeGreaterThan(0);
  });

  test('no profile in common, and no handshake at all: each is said', async () => {
    const lines = [passive(), { ...passive(), line: 1 }];
    await harness.engine.open(harness.request(lines));
    const phone = new Phone(theirs, '');
    phone.begin();
    phone.shakeHands();
    harness.advanceTo(31_000);
    const { legs } = await harness.close();
    expect(legs.map(({ keyExchange }) => keyExchange)).toEqual([
      'DTLS failed: no SRTP protection profile in common',
      'DTLS failed: the client did not begin within 30 seconds',
    ]);
    expect(harness.failures).toEqual([]);
    expect((await harness.engine.totals()).handshakesFailed).toBe(2);
  });

  test('without DTLS on the machine the leg says so, and the others are recorded', async () => {
    const without = await EngineHarness.create();
    await without.engine.open(without.request([passive(), { ...aLine(1, 'caller') }]));
    without.stream(20_002, 0, 20);
    const { legs } = await without.close();
    expect(legs[0]?.keyExchange).toMatch(/OpenSSL cannot be called/);
    expect(legs[1]?.received).toBe(20);
    await without.dispose();
  });
});

describe('re-offers', () => {
  const change = (line: CaptureLine): Promise<unknown> =>
    harness.engine.change({ id: 'rec1', at: harness.wall, lines: [line] });

  const knownKeys = (): { readonly line: CaptureLine; readonly sender: SrtpSender } => {
    const suite = 'AES_CM_128_HMAC_SHA1_80';
    const key = newMasterKey(suite);
    const security = {
      theirs: { suite, masters: [{ bytes: Uint8Array.from(key) }] },
      own: { suite, masters: [{ bytes: newMasterKey(suite) }] },
      unencryptedRtcp: false,
    } as const;
    return {
      line: lineWith(security),
      sender: new SrtpSender(threadSrtp(), { suite, masters: [{ bytes: key }] }),
    };
  };

  test('the same words again change nothing; a new fingerprint asks for a new handshake, and no packet is lost', async () => {
    await harness.engine.open(harness.request([passive()]));
    const phone = new Phone(theirs);
    phone.begin();
    phone.shakeHands();
    phone.say(10);
    await change(passive());
    phone.say(10);
    const replaced = await makeDtlsIdentity(Date.now());
    await change(passive(replaced));
    // Still under the old keys, until the handshake is through.
    phone.say(10);
    const next = new Phone(replaced, 'SRTP_AES128_CM_SHA1_80', '192.0.2.1:4002');
    next.begin();
    next.shakeHands();
    next.say(10);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({
      encryption: 'AES_CM_128_HMAC_SHA1_80',
      unauthentic: 0,
      beforeKeys: 0,
    });
    expect(result.legs[0]?.sources).toEqual([SOURCE, '192.0.2.1:4002']);
    expect(contains(result.files[0]?.path, 0, 30)).toBe(true);
  });

  test('a client that begins anew from the same port is heard again', async () => {
    await harness.engine.open(harness.request([passive()]));
    const phone = new Phone(theirs);
    phone.begin();
    phone.shakeHands();
    phone.say(10);
    phone.begin();
    phone.shakeHands();
    phone.say(10);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 20, unauthentic: 0 });
  });

  test('from plain RTP to SRTP and back: every octet, and nothing in between that no key fits', async () => {
    await harness.engine.open(harness.request([lineWith(undefined)]));
    const phone = new Phone(theirs);
    phone.say(20, undefined);
    const { line, sender } = knownKeys();
    await change(line);
    phone.say(20, sender);
    // Of an encrypted line nothing plain is heard.
    const before = phone;
    before.say(3, undefined);
    await change(lineWith(undefined));
    // Some encrypted packets are still on their way.
    phone.say(2, sender);
    phone.say(600, undefined);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ unauthentic: 3, received: 642 });
    expect(contains(result.files[0]?.path, 0, 40)).toBe(true);
    expect(contains(result.files[0]?.path, 43, 602)).toBe(true);
  });

  test('reports on a port of their own are under keys of their own (RFC 5764 §4)', async () => {
    const rtcp = { mux: false, target: '192.0.2.1:4001' };
    await harness.engine.open(harness.request([{ ...passive(), rtcp }]));
    const phone = new Phone(theirs);
    const reporter = new Phone(theirs, undefined, '192.0.2.1:4001', PORT + 1);
    for (const each of [phone, reporter]) {
      each.begin();
      each.shakeHands();
    }
    phone.say(20);
    const said = { ssrc: 7, wallClock: harness.wall, timestamp: 20 * 160, packets: 20 };
    for (const { sender } of [phone, reporter])
      reporter.report(sender?.protectRtcp(senderReport(said)) ?? Buffer.alloc(0));
    reporter.report(senderReport(said));
    phone.say(500);
    const ours = harness.receiver.sent.filter(({ port }) => port === PORT + 1);
    expect(ours.length).toBeGreaterThan(0);
    const keys = reporter.session?.exportKeys();
    if (keys === undefined) throw new Error('no keys');
    const opener = new SrtpReceiver(threadSrtp(), keys.theirs);
    for (const { datagram, to } of ours) {
      expect(to).toBe('192.0.2.1:4001');
      expect(opener.openRtcp(datagram, 0, datagram.length)).toBeGreaterThan(0);
    }
    const [leg] = (await harness.close()).legs;
    expect(leg).toMatchObject({ received: 520, unauthentic: 2 });
    expect(leg?.reports).toMatchObject({ received: 1, packetsSent: 20 });
  });

  test('a port of the reports on which nobody shakes hands is no fault; nothing goes out there in clear', async () => {
    const rtcp = { mux: false, target: '192.0.2.1:4001' };
    await harness.engine.open(harness.request([{ ...passive(), rtcp }]));
    const phone = new Phone(theirs);
    phone.begin();
    phone.shakeHands();
    for (let turn = 0; turn < 40; turn += 1) phone.say(50);
    expect(harness.receiver.sent.filter(({ port }) => port === PORT + 1)).toEqual([]);
    expect(harness.log).toEqual([]);
    expect((await harness.engine.totals()).handshakesFailed).toBe(0);
    expect((await harness.close()).legs[0]).toMatchObject({ received: 2000 });
  });

  test('from plain to DTLS, to keys in the SDP, and to plain again', async () => {
    await harness.engine.open(harness.request([lineWith(undefined)]));
    const phone = new Phone(theirs);
    phone.say(10);
    await change(passive());
    phone.begin();
    phone.shakeHands();
    phone.say(10);
    const { line, sender } = knownKeys();
    await change(line);
    phone.say(10, sender);
    await change(lineWith(undefined));
    phone.say(10, undefined);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ received: 40, unauthentic: 0 });
    expect(contains(result.files[0]?.path, 0, 10)).toBe(true);
    expect(contains(result.files[0]?.path, 10, 30)).toBe(true);
  });

  test('a pause that does not come from the client leaves the keys as they are', async () => {
    const { line, sender } = knownKeys();
    await harness.engine.open(harness.request([line]));
    const phone = new Phone(theirs);
    phone.say(10, sender);
    await change({ ...lineWith(undefined), active: false, security: 'unchanged' });
    phone.say(600, sender);
    await change({ ...lineWith(undefined), security: 'unchanged' });
    phone.say(20, sender);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ whilePaused: 600, unauthentic: 0, received: 630 });
    expect(contains(result.files[0]?.path, 610, 20)).toBe(true);
  });
});
