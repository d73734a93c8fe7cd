import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

/** A program of ours that tests start as a process of its own. */
export interface CompiledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Compiles TypeScript files of one folder to temporary modules, because Node 20 does not run TypeScript. The first is the
 * program, the others are what it imports at run time.
 */
export async function compileProgram(
  program: string,
  ...imported: readonly string[]
): Promise<CompiledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  const target = (source: string): string => join(folder, `${basename(source, '.ts')}.mjs`);
  for (const source of [program, ...imported]) {
    const { code } = await transformFile(source, {
      swcrc: false,
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    await writeFile(target(source), code.replaceAll(/(from ['"]\.\/[a-z-]+)\.ts/g, '$1.mjs'));
  }
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  return { path: target(program), remove: () => rm(folder, { recursive: true }) };
}
