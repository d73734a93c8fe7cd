import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

/** A program of ours that tests start as a process of its own. It may import packages, but no other file of ours at run time. */
export interface CompiledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

/** Compiles one TypeScript file to a temporary module, because Node 20 does not run TypeScript. */
export async function compileProgram(source: string): Promise<CompiledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  const { code } = await transformFile(source, {
    swcrc: false,
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  const path = join(folder, `${basename(source, '.ts')}.mjs`);
  await writeFile(path, code);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  return { path, remove: () => rm(folder, { recursive: true }) };
}
