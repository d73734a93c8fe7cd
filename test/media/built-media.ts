import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { transform } from '@swc/core';

/** Node 20 loads no TypeScript into a worker, so the threads run what a build would make of src/media. */
export async function buildMedia(into: string): Promise<void> {
  const source = resolve('src/media');
  for (const file of (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))) {
    const { code } = await transform(await readFile(join(source, file), 'utf8'), {
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    const target = join(into, file.replace(/\.ts$/, '.js'));
    await mkdir(join(target, '..'), { recursive: true });
    await writeFile(
      target,
      code.replaceAll(/(from '\.[^']*)\.ts'|(from "\.[^"]*)\.ts"/g, (match) => match.replace('.ts', '.js')),
    );
  }
  await writeFile(join(into, 'package.json'), '{"type":"module"}');
  await symlink(resolve('node_modules'), join(into, 'node_modules'));
}
