import { expect, test } from '@jest/globals';
import { LineGuard } from '../../src/media/line-guard.ts';
import { newMasterKey } from '../../src/media/srtp/srtp-sender.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';

const keying = () => ({ suite: SUITE, masters: [{ bytes: newMasterKey(SUITE) }] }) as const;

test('sends nothing on a line that was encrypted once its keys are overwritten', () => {
  const guard = new LineGuard({ theirs: keying(), own: keying(), unencryptedRtcp: false });
  expect(guard.canSend).toBe(true);
  const compound = Buffer.alloc(28, 0x80);
  expect(guard.protectRtcp(compound).length).toBe(28 + 4 + 10);
  guard.destroy();
  expect(guard.canSend).toBe(false);
  const arrival = { slab: compound, start: 0, end: 28, at: 0, sourceKey: 1 };
  expect(guard.admit(arrival)).toBe('unauthentic');
});
