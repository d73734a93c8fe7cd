import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openAdminToken, readAdminToken } from '../../src/store/admin-token.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealtape-token-'));
});

afterEach(() => rm(folder, { recursive: true }));

test('the first start makes a token that only the recorder may read, later ones keep it', async () => {
  expect(await readAdminToken(folder)).toBeUndefined();
  const token = await openAdminToken(folder);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  await chmod(join(folder, 'admin-token'), 0o644);
  expect(await openAdminToken(folder)).toBe(token);
  expect((await stat(join(folder, 'admin-token'))).mode & 0o777).toBe(0o600);
  expect(await readAdminToken(folder)).toBe(token);
});

test('a file that holds no token is named, not replaced', async () => {
  await writeFile(join(folder, 'admin-token'), 'short\n');
  await expect(openAdminToken(folder)).rejects.toMatchObject({
    code: 'KEYS_DAMAGED',
    message: expect.stringContaining(join(folder, 'admin-token')) as unknown,
  });
});
