import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, resolve } from 'node:path';
import { transformFile } from '@swc/core';

/** A module of ours, as compiled code names it. */
const IMPORT = /(from ['"])(\.\.?\/[a-z0-9/.-]+)\.ts/g;

/** A program of ours that tests start as a process of its own. */
export interface CompiledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Compiles a TypeScript program, and what it imports of ours at run time, to temporary modules, because Node 20 does not run TypeScript.
 */
export async function compileProgram(program: string): Promise<CompiledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  const target = (source: string): string => join(folder, source.replace(/\.ts$/, '.mjs'));
  const done = new Set<string>();
  const compile = async (source: string): Promise<void> => {
    if (done.has(source)) return;
    done.add(source);
    const { code } = await transformFile(source, {
      swcrc: false,
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    await mkdir(dirname(target(source)), { recursive: true });
    await writeFile(target(source), code.replaceAll(IMPORT, '$1$2.mjs'));
    for (const [, , imported = ''] of code.matchAll(IMPORT))
      await compile(normalize(join(dirname(source), `${imported}.ts`)));
  };
  await compile(program);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  return { path: target(program), remove: () => rm(folder, { recursive: true }) };
}
