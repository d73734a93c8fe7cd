import { expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { openAlarmMail, openPost } from '../../src/service/post-opening.ts';
import { ShutdownList } from '../../src/service/shutdown-list.ts';
import { startMailServer } from '../support/mail-server.ts';

const log = (): void => undefined;
const config = (mail: object | undefined) =>
  parseConfig({ installation: 'fra1', ...(mail !== undefined && { mail }) }, { source: 'test', folder: '/' });

test('a critical alarm is mailed, at the latest when the recorder stops', async () => {
  const server = await startMailServer();
  try {
    const settings = config({
      ...{ host: '127.0.0.1', port: server.port, security: 'none' },
      ...{ from: 'recorder@example.test', to: ['it@example.test'], language: 'de' },
    });
    const alarms = new Alarms(log);
    const closing = new ShutdownList(log);
    openAlarmMail(settings, { alarms, post: await openPost(settings), closing, log });
    alarms.raise({ code: 'keys-missing', severity: 'critical', text: 'the signing keys cannot be used' });
    await closing.run();
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]).toContain('Subject: [Sealtape fra1/rec01] Alarm keys-missing');
    expect(server.mails[0]).toContain('the signing keys cannot be used');
  } finally {
    await server.close();
  }
});

test('without mail nothing is opened; a password that cannot be read is named', async () => {
  expect(await openPost(config(undefined))).toBeUndefined();
  const mail = { host: 'mail.example', user: 'recorder', passwordFile: '/nowhere/password' };
  await expect(openPost(config({ ...mail, from: 'a@example.test', to: ['b@example.test'] }))).rejects.toThrow(
    'mail.passwordFile: /nowhere/password cannot be read',
  );
});
