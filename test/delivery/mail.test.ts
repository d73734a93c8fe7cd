import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { openMail } from '../../src/delivery/mail.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';

const mill = new CertificateMill();
let authority: IssuedCertificate;
let certificate: IssuedCertificate;
let server: SMTPServer | undefined;

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | undefined;
  readonly source: string;
}
let received: Received[] = [];

beforeAll(() => {
  authority = mill.authority('mail-ca');
  certificate = mill.issue('localhost', { by: authority });
});

afterEach(async () => {
  await new Promise<void>((resolve) => {
    if (server === undefined) resolve();
    else server.close(resolve);
  });
  server = undefined;
  received = [];
});

afterAll(() => {
  mill.remove();
});

/** A mail server that knows the user "recorder" with the password "secret"; resolves with its port. */
async function listen(options: SMTPServerOptions = {}): Promise<number> {
  const started = new SMTPServer({
    cert: certificate.cert,
    key: certificate.privateKey,
    authOptional: true,
    onAuth: ({ username, password }, _session, done) => {
      if (username === 'recorder' && password === 'secret') done(null, { user: username });
      else done(new Error('wrong user or password'));
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user as string | undefined,
          source: Buffer.concat(parts).toString('utf8'),
        });
        done();
      });
    },
    ...options,
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return (started.server.address() as AddressInfo).port;
}

const mailTo = (port: number, more: Partial<Parameters<typeof openMail>[0]['server']> = {}) =>
  openMail({
    server: { host: 'localhost', port, security: 'starttls', ca: authority.cert, ...more },
    from: 'sealtape@bank.example',
    to: ['it@bank.example', 'compliance@bank.example'],
  });

const NOTICE = { subject: 'Archiv nimmt keine Aufnahmen an', text: 'Für „nas“: Größe überschritten.\n' };

test('goes to every recipient over STARTTLS, with its umlauts, as a mail nobody answers', async () => {
  const port = await listen();
  await mailTo(port, { user: 'recorder', password: 'secret' }).send(NOTICE);
  expect(received).toMatchObject([
    {
      from: 'sealtape@bank.example',
      to: ['it@bank.example', 'compliance@bank.example'],
      secure: true,
      user: 'recorder',
    },
  ]);
  const source = received[0]?.source ?? '';
  expect(source).toContain('Auto-Submitted: auto-generated');
  expect(source).toContain(`Subject: ${NOTICE.subject}`);
  expect(bodyOf(source)).toContain('Für „nas“: Größe überschritten.');
});

test('goes encrypted from the first octet where the server wants that', async () => {
  const port = await listen({ secure: true });
  await mailTo(port, { security: 'tls' }).send(NOTICE);
  expect(received).toMatchObject([{ secure: true }]);
});

test('does not go in clear when STARTTLS is demanded and not offered', async () => {
  const port = await listen({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
  await expect(mailTo(port).send(NOTICE)).rejects.toThrow(/STARTTLS/i);
  expect(received).toEqual([]);
});

test('does not go to a server that cannot show who it is', async () => {
  const port = await listen();
  await expect(mailTo(port, { ca: mill.authority('other-ca').cert }).send(NOTICE)).rejects.toThrow(
    /certificate/i,
  );
  expect(received).toEqual([]);
});

test('a wrong password is said', async () => {
  const port = await listen();
  await expect(mailTo(port, { user: 'recorder', password: 'wrong' }).send(NOTICE)).rejects.toThrow(
    /wrong user or password|Invalid login/,
  );
});

test('a server that is not there is said', async () => {
  const port = await listen();
  await new Promise<void>((resolve) => server?.close(resolve));
  server = undefined;
  await expect(mailTo(port).send(NOTICE)).rejects.toThrow(/ECONNREFUSED/);
});

/** The text of a mail, whatever its transfer encoding. */
function bodyOf(source: string): string {
  const [head = '', ...rest] = source.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  if (/^content-transfer-encoding: base64/im.test(head)) return Buffer.from(body, 'base64').toString('utf8');
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return body;
  const octets = body
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(octets, 'latin1').toString('utf8');
}
