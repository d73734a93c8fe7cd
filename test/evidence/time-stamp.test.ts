import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { nonceOfQuery, readTimeStamp } from '../../src/evidence/time-stamp.ts';
import { verifyTimeStamp, type CheckedTimeStamp } from '../../src/evidence/verify-time-stamp.ts';
import { StampingAuthority } from '../support/stamping-authority.ts';

const DATA = Buffer.from('what is stamped\n');

let authority: StampingAuthority;
let anchor: X509Certificate;

beforeAll(() => {
  authority = new StampingAuthority();
  anchor = new X509Certificate(readFileSync(authority.ca));
});

afterAll(() => {
  authority.close();
});

const check = (response: Uint8Array, context = {}): CheckedTimeStamp =>
  verifyTimeStamp(readTimeStamp(response), { data: DATA, anchors: [anchor], ...context });

describe('a token of openssl ts', () => {
  test('holds, says when, and leads to the given authority', () => {
    const before = Date.now();
    const { query, response } = authority.stamp(DATA);
    const stamp = readTimeStamp(response);
    expect(check(response, { nonce: nonceOfQuery(query) })).toEqual({
      faults: [],
      authority: 'CN=Stamp Authority',
      trusted: true,
    });
    expect(Math.abs(Date.parse(stamp.time) - before)).toBeLessThan(60_000);
    expect(stamp.accuracy).toBe(500);
    expect(stamp.policy).toBe('1.3.6.1.4.1.13762.3');
  });

  test('holds with an elliptic key, and when its certificate is the one that is trusted', () => {
    const elliptic = new StampingAuthority({ keys: 'ec' });
    try {
      const own = new X509Certificate(readFileSync(elliptic.certificate));
      const { response } = elliptic.stamp(DATA);
      expect(check(response, { anchors: [own] })).toMatchObject({ faults: [], trusted: true });
    } finally {
      elliptic.close();
    }
  });

  test('is only as good as its authority: without one given it holds, and is not trusted', () => {
    expect(check(authority.stamp(DATA).response, { anchors: [] })).toMatchObject({
      faults: [],
      trusted: false,
    });
  });

  test('of another authority is refused', () => {
    const stranger = new StampingAuthority();
    try {
      const faults = check(stranger.stamp(DATA).response).faults.join();
      expect(faults).toMatch(/does not lead to a given authority/);
    } finally {
      stranger.close();
    }
  });

  test('over another file is refused', () => {
    expect(check(authority.stamp(Buffer.from('something else')).response).faults).toEqual([
      'is over other content',
    ]);
  });

  test('that answers another query is refused', () => {
    const other = authority.stamp(DATA);
    const { response } = authority.stamp(DATA);
    expect(check(response, { nonce: nonceOfQuery(other.query) }).faults).toEqual([
      'does not answer the query kept beside it: the nonce differs',
    ]);
  });

  test('without certificates is refused, unless they are given', () => {
    const { response } = authority.stamp(DATA, { certificates: false });
    expect(check(response).faults).toEqual(['holds no certificate of its authority']);
    const own = new X509Certificate(readFileSync(authority.certificate));
    expect(check(response, { anchors: [anchor, own] }).faults).toEqual([]);
  });

  test('with any octet of what is signed or of the signature altered is refused', () => {
    const { response } = authority.stamp(DATA);
    const { info, signer } = readTimeStamp(response);
    for (const part of [info, signer.signature, signer.signed.subarray(4)]) {
      const start = response.indexOf(part);
      for (let at = start; at < start + part.length; at += 7) {
        const altered = Buffer.from(response);
        altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
        expect(holds(altered)).toBe(false);
      }
    }
  });
});

function holds(response: Buffer): boolean {
  try {
    return check(response).faults.length === 0;
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_TIME_STAMP' });
    return false;
  }
}

test('a token that names another certificate than the one that signed is refused', () => {
  const response = authority.stamp(DATA).response;
  const stamp = readTimeStamp(response);
  const other = new StampingAuthority();
  try {
    const stranger = new X509Certificate(readFileSync(other.certificate));
    const id = { keyId: Buffer.from(readKeyId(stranger), 'hex') };
    const faults = verifyTimeStamp(
      { ...stamp, certificates: [stranger], signer: { ...stamp.signer, id } },
      { data: DATA, anchors: [] },
    ).faults;
    expect(faults).toEqual(
      expect.arrayContaining(['names another certificate as its own', 'its signature does not fit']),
    );
  } finally {
    other.close();
  }
});

/** The subject key identifier follows its object identifier 2.5.29.14. */
function readKeyId(certificate: X509Certificate): string {
  const at = certificate.raw.indexOf(Buffer.from('0603551d0e04160414', 'hex'));
  return certificate.raw.subarray(at + 9, at + 29).toString('hex');
}

test('the certificate must be valid at the stated time', () => {
  const stamp = readTimeStamp(authority.stamp(DATA).response);
  const past = { ...stamp, time: '2001-01-01T00:00:00.000Z' };
  expect(verifyTimeStamp(past, { data: DATA, anchors: [anchor] }).faults.join()).toMatch(
    /CN=Stamp Authority was not valid at 2001/,
  );
});

test.each([
  ['nothing', ''],
  ['a text', Buffer.from('hello').toString('hex')],
  ['a refusal (status 2)', '30053003020102'],
  ['something cut off', '3082ffff06'],
  ['a value and more behind it', '30000000'],
])('%s is not a time stamp', (_, hex) => {
  expect(() => readTimeStamp(Buffer.from(hex, 'hex'))).toThrow(
    expect.objectContaining({ code: 'BAD_TIME_STAMP' }),
  );
});
