import { SDP, SDP_TYPE, sip, withSdp, type TortureMessage } from './torture-messages.ts';

/** Against the grammar, section 3.1.2. What can be read all the same costs nobody a recording (siprec-interop.md SIG-7, SIG-9). */
export const INVALID: readonly TortureMessage[] = [
  {
    name: '3.1.2.1 badinv01: separators too many in header values',
    text: sip(
      'INVITE sip:user@example.com SIP/2.0',
      ['Contact: "Joe" <sip:joe@example.org>;;;;', 'Via: SIP/2.0/UDP 192.0.2.15;;,;,,', SDP_TYPE],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.2.2 clerr: a Content-Length larger than the body',
    text: sip('INVITE sip:user@example.com SIP/2.0', [SDP_TYPE, 'Content-Length: 9999'], withSdp),
    reaction: 400,
    overTcp: 'silence',
  },
  {
    name: '3.1.2.3 ncl: a negative Content-Length',
    text: sip('INVITE sip:user@example.com SIP/2.0', [SDP_TYPE, 'Content-Length: -999'], withSdp),
    reaction: 400,
  },
  {
    name: '3.1.2.4 scalar02: numbers too large in a request',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'CSeq: 36893488147419103232 REGISTER',
      'Max-Forwards: 300',
      'Expires: 10000000000000',
      'Contact: <sip:user@host129.example.com>;expires=280297596632815',
    ]),
    reaction: 400,
  },
  {
    name: '3.1.2.5 scalarlg: numbers too large in a response',
    text: sip('SIP/2.0 503 Service Unavailable', [
      'CSeq: 9292394834772304023312 OPTIONS',
      'Retry-After: 949302838503028349304023988',
    ]),
    reaction: 'silence',
  },
  {
    name: '3.1.2.6 quotbal: a quote that is never closed',
    text: sip(
      'INVITE sip:user@example.com SIP/2.0',
      ['To: "Mr. J. User <sip:j.user@example.com>', SDP_TYPE],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.2.7 ltgtruri: angle brackets around the request URI',
    text: sip('INVITE <sip:user@example.com> SIP/2.0', [SDP_TYPE], withSdp),
    reaction: 400,
  },
  {
    name: '3.1.2.8 lwsruri: white space inside the request URI',
    text: sip('INVITE sip:user@example.com; lr SIP/2.0', [SDP_TYPE], withSdp),
    reaction: 400,
  },
  {
    name: '3.1.2.9 lwsstart: more than one space in the request line',
    text: sip('INVITE  sip:user@example.com  SIP/2.0', [SDP_TYPE, 'CSeq: 8 INVITE'], withSdp),
    reaction: 200,
  },
  {
    name: '3.1.2.10 trws: spaces behind the request line',
    text: sip('OPTIONS sip:remote-target@example.com SIP/2.0  '),
    reaction: 200,
  },
  {
    name: '3.1.2.11 escruri: headers inside the request URI',
    text: sip('INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0', [SDP_TYPE], withSdp),
    reaction: 200,
  },
  {
    name: '3.1.2.12 baddate: a Date in another time zone',
    text: sip(
      'INVITE sip:user@example.com SIP/2.0',
      ['Date: Fri, 01 Jan 2010 16:00:00 EST', SDP_TYPE],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.2.13 regbadct: headers in a Contact without brackets',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E',
    ]),
    reaction: 200,
  },
  {
    name: '3.1.2.14 badaspec: spaces inside the angle brackets',
    text: sip('OPTIONS sip:user@example.org SIP/2.0', ['To: "Watson, Thomas" < sip:t.watson@example.org >']),
    reaction: 200,
  },
  {
    name: '3.1.2.15 baddn: a comma in a display name without quotes',
    text: sip('OPTIONS sip:t.watson@example.org SIP/2.0', [
      'From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43',
    ]),
    reaction: 200,
  },
  {
    name: '3.1.2.16 badvers: a version of SIP that nobody knows',
    text: sip('OPTIONS sip:t.watson@example.org SIP/7.0', [
      'Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw',
    ]),
    reaction: 505,
  },
  {
    name: '3.1.2.17 mismatch01: CSeq names another method',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', ['CSeq: 8 INVITE']),
    reaction: 400,
  },
  {
    name: '3.1.2.18 mismatch02: the same with a method nobody knows',
    text: sip('NEWMETHOD sip:user@example.com SIP/2.0', ['CSeq: 8 INVITE']),
    reaction: 400,
  },
  {
    name: '3.1.2.19 bigcode: a response code that is none',
    text: sip('SIP/2.0 4294967301 better not break the receiver', ['CSeq: 8 OPTIONS']),
    reaction: 'silence',
  },
];

/** Within the grammar, but odd in what it says: sections 3.2 to 3.4. */
export const SEMANTICS: readonly TortureMessage[] = [
  {
    name: '3.2.1 badbranch: a branch that is nothing but the cookie',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', ['Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK']),
    reaction: 200,
  },
  {
    name: '3.3.1 insuf: no Call-ID, From or To',
    text: sip('INVITE sip:user@example.com SIP/2.0', [SDP_TYPE], {
      body: SDP,
      without: ['from', 'to', 'call-id'],
    }),
    reaction: 'silence',
  },
  {
    name: '3.3.2 unkscm: a request URI of a scheme nobody knows, for the application to refuse',
    text: sip('OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0'),
    reaction: 200,
  },
  {
    name: '3.3.3 novelsc: a request URI of a scheme that is not for SIP',
    text: sip('OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0'),
    reaction: 200,
  },
  {
    name: '3.3.4 unksm2: other schemes in To, From and Contact',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'To: isbn:2983792873',
      'From: <http://www.example.com>;tag=3234233',
      'Contact: <name:John_Smith>',
    ]),
    reaction: 200,
  },
  {
    name: '3.3.5 bext01: extensions nobody knows are required, for the application to refuse',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', [
      'Require: nothingSupportsThis, nothingSupportsThisEither',
      'Proxy-Require: noProxiesSupportThis',
    ]),
    reaction: 200,
  },
  {
    name: '3.3.6 invut: a body of an unknown type, for the application to refuse',
    text: sip('INVITE sip:user@example.com SIP/2.0', ['Content-Type: application/unknownformat'], {
      body: '<audio>\r\n <pcmu port="443"/>\r\n</audio>\r\n',
    }),
    reaction: 200,
  },
  {
    name: '3.3.7 regaut01: an unknown scheme of authorisation',
    text: sip('REGISTER sip:example.com SIP/2.0', ['Authorization: NoOneKnowsThisScheme opaque-data=here']),
    reaction: 200,
  },
  {
    name: '3.3.8 multi01: several values where one is allowed',
    text: sip(
      'INVITE sip:user@example.com SIP/2.0',
      [
        'CSeq: 5 INVITE',
        'CSeq: 59 INVITE',
        'Call-ID: multi01.1@example.net',
        'Call-ID: multi01.2@example.net',
        'From: <sip:a@example.net>;tag=1',
        'From: <sip:b@example.net>;tag=2',
        'To: <sip:a@example.com>',
        'To: <sip:b@example.com>',
        SDP_TYPE,
      ],
      withSdp,
    ),
    reaction: 400,
  },
  {
    name: '3.3.9 mcl01: two different Content-Length',
    text: sip(
      'OPTIONS sip:user@example.com SIP/2.0',
      ['Content-Length: 13', 'Content-Length: 5', 'Content-Type: text/plain'],
      { body: "There's no way" },
    ),
    reaction: 400,
  },
  {
    name: '3.3.10 bcast: a response that would go to a broadcast address',
    text: sip('SIP/2.0 200 OK', [
      'Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bKbcast',
      'Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23',
      'CSeq: 10 INVITE',
    ]),
    reaction: 'silence',
  },
  {
    name: '3.3.11 zeromf: Max-Forwards 0 is no matter for the one it is for',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', ['Max-Forwards: 0']),
    reaction: 200,
  },
  {
    name: '3.3.12 cparam01: an unknown parameter of a Contact',
    text: sip('REGISTER sip:example.com SIP/2.0', ['Contact: sip:+19725552222@gw1.example.net;unknownparam']),
    reaction: 200,
  },
  {
    name: '3.3.13 cparam02: an unknown parameter of the URI in a Contact',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'Contact: <sip:+19725552222@gw1.example.net;unknownparam>',
    ]),
    reaction: 200,
  },
  {
    name: '3.3.14 regescrt: headers in the URI of a Contact',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>',
    ]),
    reaction: 200,
  },
  {
    name: '3.3.15 sdp01: a client that accepts no answer we could give, for the application to refuse',
    text: sip('INVITE sip:user@example.com SIP/2.0', ['Accept: text/nobodyKnowsThis', SDP_TYPE], withSdp),
    reaction: 200,
  },
  {
    name: '3.4.1 inv2543: an INVITE of RFC 2543, without branch and From tag: no dialog can be made of it',
    text: sip(
      'INVITE sip:UserB@example.com SIP/2.0',
      [
        'Via: SIP/2.0/UDP iftgw.example.com',
        'From: <sip:+13035551111@ift.example.net;user=phone>',
        'Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>',
        SDP_TYPE,
      ],
      withSdp,
    ),
    reaction: 400,
  },
];
