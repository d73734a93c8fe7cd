import { describe, expect, test } from '@jest/globals';
import { reportTarget } from '../../src/siprec/report-target.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';

const target = (...lines: readonly string[]): string | undefined => {
  const [line] = parseSdp(['v=0', 'c=IN IP4 192.0.2.10', ...lines].join('\r\n')).lines;
  return line && reportTarget(line);
};

describe('RTP-5: the client takes reports', () => {
  test.each([
    ['on the port above that of its audio', ['m=audio 4000 RTP/AVP 8'], '192.0.2.10:4001'],
    ['on the same port, where it is shared', ['m=audio 4000 RTP/AVP 8', 'a=rtcp-mux'], '192.0.2.10:4000'],
    ['where a=rtcp says', ['m=audio 4000 RTP/AVP 8', 'a=rtcp:53020'], '192.0.2.10:53020'],
    [
      'where a=rtcp says, another address included',
      ['m=audio 4000 RTP/AVP 8', 'a=rtcp:53020 IN IP6 2001:db8::7'],
      '[2001:db8::7]:53020',
    ],
    ['nowhere, when it names nothing usable', ['m=audio 4000 RTP/AVP 8', 'c=IN IP4 sbc.example'], undefined],
    [
      'nowhere while it says that nothing may be sent (SDP-14)',
      ['m=audio 4000 RTP/AVP 8', 'c=IN IP4 0.0.0.0'],
      undefined,
    ],
    ['nowhere on a port that stands for none', ['m=audio 9 RTP/AVP 8'], undefined],
    ['as usual when a=rtcp makes no sense', ['m=audio 4000 RTP/AVP 8', 'a=rtcp:70000'], '192.0.2.10:4001'],
  ])('%s', (_name, lines, expected) => {
    expect(target(...lines)).toBe(expected);
  });
});
