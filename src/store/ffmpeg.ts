import { env } from 'node:process';
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { withDeadline } from '../deadline.ts';
import type { Renderer } from '../jobs/render.ts';
import type { Levels } from '../media/levels.ts';
import { measureStereo } from './copy-levels.ts';
import { StoreError } from './store-error.ts';

export interface FfmpegOptions {
  /** Program name or path. */
  readonly program: string;
  /** Wall time, and CPU time, of one copy. */
  readonly timeoutSeconds: number;
  /** Address space of the process. */
  readonly memoryMegabytes: number;
}

/** How much of what it complains about is kept. */
const COMPLAINT = 2000;
const NOT_FOUND = 127;
const VERSION_SECONDS = 20;

/**
 * ffmpeg as a child with limits: address space, CPU time and wall time, low priority, no standard input, no protocol but files. What
 * it reads came from strangers.
 */
export class Ffmpeg implements Renderer {
  readonly #options: FfmpegOptions;
  #version: string | undefined;

  constructor(options: FfmpegOptions) {
    this.#options = options;
  }

  /** `ffmpeg 5.1.9`. Rejects with StoreError MISSING when there is no such program. */
  async version(): Promise<string> {
    if (this.#version !== undefined) return this.#version;
    const output = await this.#run(['-version'], AbortSignal.timeout(VERSION_SECONDS * 1000));
    const found = /^ffmpeg version (\S+)/.exec(output)?.[1] ?? 'unknown';
    this.#version = `ffmpeg ${found}`;
    return this.#version;
  }

  async render(plan: Parameters<Renderer['render']>[0], to: string, signal: AbortSignal): Promise<void> {
    const inputs = plan.inputs.flatMap(({ path, decoder }) => [
      ...(decoder === undefined ? [] : ['-c:a', decoder]),
      ...['-protocol_whitelist', 'file', '-f', formatOf(path), '-i', path],
    ]);
    const args = [
      ...['-hide_banner', '-nostdin', '-v', 'error', '-y', '-threads', '1', '-filter_complex_threads', '1'],
      ...inputs,
      ...['-filter_complex', plan.graph, '-map', '[out]', '-map_metadata', '-1'],
      // The same inputs and the same program give the same octets.
      ...['-c:a', 'pcm_s16le', '-ar', String(plan.rate), '-fflags', '+bitexact', '-flags:a', '+bitexact'],
      ...['-rf64', 'auto', '-f', 'wav', to],
    ];
    try {
      await this.#runInTime(args, signal);
    } catch (error) {
      await rm(to, { force: true });
      throw error;
    }
  }

  /**
   * Encodes the first sound of a file in several ways. `format` is what the file is, as ffmpeg calls it. Rejects with StoreError INVALID
   * and what ffmpeg says of it, MISSING when there is no ffmpeg.
   */
  async encode(
    from: { readonly path: string; readonly format: string },
    outputs: readonly (readonly string[])[],
    signal: AbortSignal,
  ): Promise<void> {
    const args = [
      ...['-hide_banner', '-nostdin', '-v', 'error', '-y', '-threads', '1', '-filter_threads', '1'],
      ...['-protocol_whitelist', 'file', '-f', from.format, '-i', from.path],
      ...outputs.flatMap((output) => ['-map', '0:a:0', '-map_metadata', '-1', '-ac', '1', ...output]),
    ];
    await this.#runInTime(args, signal);
  }

  measure(path: string, signal: AbortSignal): Promise<readonly Levels[]> {
    return measureStereo(path, signal);
  }

  #runInTime(args: readonly string[], signal: AbortSignal): Promise<string> {
    return withDeadline(signal, this.#options.timeoutSeconds * 1000, (within) => this.#run(args, within));
  }

  #run(args: readonly string[], signal: AbortSignal): Promise<string> {
    const { program, memoryMegabytes, timeoutSeconds } = this.#options;
    const limits = `ulimit -v ${memoryMegabytes * 1024}; ulimit -t ${timeoutSeconds}; ulimit -c 0; exec nice -n 10 "$@"`;
    return new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', ['-c', limits, 'sh', program, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' },
      });
      let [output, complaint] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(0, COMPLAINT);
      });
      child.stderr.on('data', (chunk: Buffer) => {
        complaint = (complaint + chunk.toString()).slice(0, COMPLAINT);
      });
      const kill = (): void => {
        child.kill('SIGKILL');
      };
      signal.addEventListener('abort', kill, { once: true });
      if (signal.aborted) kill();
      child.on('error', reject);
      child.on('close', (code, killedBy) => {
        signal.removeEventListener('abort', kill);
        if (code === 0) resolve(output);
        else reject(failure(program, { code, killedBy, complaint, late: signal.aborted }));
      });
    });
  }
}

function failure(
  program: string,
  end: { code: number | null; killedBy: string | null; complaint: string; late: boolean },
): StoreError {
  if (end.code === NOT_FOUND) return new StoreError('MISSING', `no program ${program}`);
  if (end.late) return new StoreError('INVALID', 'ffmpeg took too long');
  const why = end.complaint.trim().split('\n').at(-1) ?? '';
  return new StoreError('INVALID', `ffmpeg failed (${end.code ?? end.killedBy ?? ''}): ${why}`);
}

/** By the working name; the probing of formats is not for files of strangers. */
const formatOf = (path: string): string => (path.endsWith('.opus.part') ? 'ogg' : 'wav');
