import { createTransport } from 'nodemailer';
import type { Notice, NoticePost } from '../jobs/notice.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls`: refuse to go on in clear; `tls`: encrypted from the first octet; `none`: a relay on this very machine. */
  readonly security: 'starttls' | 'tls' | 'none';
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** PEM: authorities that vouch for the server, instead of those Node knows. */
  readonly ca?: string | undefined;
}

export interface MailOptions {
  readonly server: MailServer;
  readonly from: string;
  readonly to: readonly string[];
}

/** Milliseconds for each stage of a conversation with the server. */
const PATIENCE = 30_000;

/** Mail by SMTP (RFC 5321, RFC 3207). A connection is opened for each mail: there are few. */
export function openMail({ server, from, to }: MailOptions): NoticePost {
  const transport = createTransport({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    requireTLS: server.security === 'starttls',
    ignoreTLS: server.security === 'none',
    ...(server.user !== undefined && { auth: { user: server.user, pass: server.password ?? '' } }),
    tls: { minVersion: 'TLSv1.2', ...(server.ca !== undefined && { ca: server.ca }) },
    connectionTimeout: PATIENCE,
    greetingTimeout: PATIENCE,
    socketTimeout: PATIENCE,
    // What a notice says is text, never a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async ({ subject, text }: Notice): Promise<void> => {
      await transport.sendMail({
        from,
        to: [...to],
        subject,
        text,
        // RFC 3834 § 5: nobody's holiday notice shall answer.
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    },
  };
}
