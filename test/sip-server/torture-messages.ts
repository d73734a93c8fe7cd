/*
 * The messages RFC 4475 describes, written out again: each has the oddity of its section, in words of our own. `reaction`
 * is what the embedded server answers, through an application that takes INVITE, OPTIONS, REGISTER and MESSAGE with 200.
 */

export interface TortureMessage {
  /** Section and short name in the RFC. */
  readonly name: string;
  readonly text: string;
  readonly reaction: number | 'silence';
  /** Where TCP makes a difference. */
  readonly overTcp?: number | 'silence';
}

const USUAL: Readonly<Record<string, string>> = {
  via: 'Via: SIP/2.0/UDP host.example.com;branch=z9hG4bK%BRANCH%',
  'max-forwards': 'Max-Forwards: 70',
  from: 'From: <sip:caller@example.net>;tag=323',
  to: 'To: <sip:user@example.com>',
  'call-id': 'Call-ID: %ID%@example.net',
  cseq: 'CSeq: 1 %METHOD%',
  contact: 'Contact: <sip:caller@host5.example.net>',
};

const FULL: Readonly<Record<string, string>> = {
  t: 'to',
  f: 'from',
  v: 'via',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
};

let count = 0;

/** A message with the usual headers, except those `lines` has and those in `without`. */
export function sip(
  start: string,
  lines: readonly string[] = [],
  more: { body?: string; without?: readonly string[] } = {},
): string {
  const { body = '', without = [] } = more;
  count += 1;
  const names = lines.map((line) => (/^[^\s:]+/.exec(line)?.[0] ?? '').toLowerCase());
  const given = new Set([...names.map((name) => FULL[name] ?? name), ...without]);
  const usual = Object.entries(USUAL).flatMap(([name, line]) => (given.has(name) ? [] : [line]));
  const length = given.has('content-length') ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [start, ...usual, ...lines, ...length, '', body]
    .join('\r\n')
    .replaceAll('%BRANCH%', `torture${count}`)
    .replaceAll('%ID%', `torture${count}`)
    .replaceAll('%METHOD%', start.split(' ', 1)[0] ?? '');
}

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0\r\n';
export const withSdp = { body: SDP };
export const SDP_TYPE = 'Content-Type: application/sdp';
const long = (text: string, times: number): string => text.repeat(times);

export const VALID: readonly TortureMessage[] = [
  {
    name: '3.1.1.1 wsinv: white space, folding and compact names wherever the grammar allows them',
    text: sip(
      'INVITE sip:vivek@chair.example.com;unknownparam SIP/2.0',
      [
        'TO :\r\n sip:vivek@chair.example.com ',
        'from   : "J Rosenberg \\\\\\""       <sip:jd@example.com>\r\n  ;\r\n  tag = 98asjd8',
        'MaX-fOrWaRdS: 0068',
        'Call-ID: wsinv.ndaksdj@192.0.2.1',
        'cseq: 0009\r\n  INVITE',
        'v:  SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw',
        's :',
        'NewFangledHeader:   newfangled value\r\n continued newfangled value',
        'UnknownHeaderWithUnusualValue: ;;,,;;,;',
        'Content-Type: application/sdp',
        'Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>',
        'v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239',
        'm:"Quoted string \\"\\"" <sip:jd@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33',
      ],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.1.2 intmeth: every character a method, a URI and a tag may have',
    text: sip(
      "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
      [
        'To: "BEL:\\\u0007 NUL:\\\u0001 DEL:\\\u007F" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>',
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
        "extensionHeader-!.%*+_`'~: 大停電",
      ],
    ),
    reaction: 501,
  },
  {
    name: '3.1.1.3 esc01: escaped characters that look like another URI',
    text: sip(
      'INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0',
      [
        'To: sip:%75se%72@example.com',
        'From: <sip:I%20have%20spaces@example.net>;tag=938',
        'Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>',
        SDP_TYPE,
      ],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.1.4 escnull: escaped NUL octets in URIs',
    text: sip('REGISTER sip:example.com SIP/2.0', [
      'To: sip:null-%00-null@example.com',
      'From: sip:null-%00-null@example.com;tag=839923423',
      'Contact: <sip:%00@host5.example.com>',
      'Contact: <sip:%00%00@host5.example.com>',
    ]),
    reaction: 200,
  },
  {
    name: '3.1.1.5 esc02: a percent sign in a method is no escape; this is not REGISTER',
    text: sip('RE%47IST%45R sip:registrar.example.com SIP/2.0', [
      'To: "%Z%45" <sip:resource@example.com>',
      'From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23',
      'Contact: <sip:alias1@host1.example.com>',
      'C%6Fntact: <sip:alias2@host2.example.com>',
    ]),
    reaction: 501,
  },
  {
    name: '3.1.1.6 lwsdisp: no white space between display name and angle bracket',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', ['From: caller<sip:caller@example.com>;tag=323']),
    reaction: 200,
  },
  {
    name: '3.1.1.7 longreq: long values everywhere',
    text: sip(
      'INVITE sip:user@example.com SIP/2.0',
      [
        `To: "I have a user name of ${long('extreme ', 60)}proportion"<sip:user@example.com:6000;unknownparam1=very${long('long', 40)}value;longparam${long('name', 30)}=short>`,
        `From: sip:${long('amazinglylongcallername', 6)}@example.net;tag=12982${long('982', 60)};unknownheaderparam${long('name', 20)}=x`,
        `Call-ID: longreq.one${long('really', 30)}longcallid`,
        'CSeq: 3882340 INVITE',
        `Unknown-${long('Long', 30)}-Name: unknown-${long('long', 30)}-value`,
        'Via: SIP/2.0/TCP sip33.example.com;branch=z9hG4bKlongreq33',
        ...Array.from(
          { length: 33 },
          (_none, n) => `v: SIP/2.0/TCP sip${n}.example.com;branch=z9hG4bK${long('x', 120)}${n}`,
        ),
        `Contact: <sip:${long('amazinglylongcallername', 6)}@host5.example.net>`,
        SDP_TYPE,
      ],
      withSdp,
    ),
    reaction: 200,
  },
  {
    name: '3.1.1.9 semiuri: a semicolon in the user part',
    text: sip('OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0', ['To: sip:j_user@example.com']),
    reaction: 200,
  },
  {
    name: '3.1.1.10 transports: known and unknown transports in Via',
    text: sip('OPTIONS sip:user@example.com SIP/2.0', [
      'Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuwtransports',
      'Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf',
      'Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj',
      'Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en',
      'Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee',
    ]),
    reaction: 200,
  },
  {
    name: '3.1.1.11 mpart01: a multipart body with binary parts',
    text: sip(
      'MESSAGE sip:kumiko@example.org SIP/2.0',
      ['Content-Type: multipart/mixed;boundary=7a9cbec02ceef655'],
      {
        body: '--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHello\r\n--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\u0000\u0001\u0082\u00fe\r\n\r\n\r\n--7a9cbec02ceef655--\r\n',
      },
    ),
    reaction: 200,
  },
  {
    name: '3.1.1.12 unreason: a response with a reason of many characters, for nobody',
    text: sip('SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое', ['CSeq: 35 INVITE']),
    reaction: 'silence',
  },
  {
    name: '3.1.1.13 noreason: a response without reason',
    text: sip('SIP/2.0 100 ', ['CSeq: 35 INVITE']),
    reaction: 'silence',
  },
];

/** 3.1.1.8 dblreq: two requests in one datagram; the second is no part of the first and is left out. */
export const DOUBLE_REQUEST =
  sip('REGISTER sip:example.com SIP/2.0', ['Content-Length: 0']) +
  sip('INVITE sip:joe@example.com SIP/2.0', [SDP_TYPE], withSdp);
