import { createHash } from 'node:crypto';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CapturedFile, CaptureRequest, CaptureResult, OpenedCapture } from '../../src/media/capture.ts';
import { FakeMedia } from './recorder-fakes.ts';

/** A media side without sockets: what is spoken to a capture that exists is written into its folder, as the real one would. */
export class SpeakingMedia extends FakeMedia {
  readonly #captures = new Map<string, { readonly folder: string; bytes: number; audio: string }>();

  override async open(request: CaptureRequest): Promise<OpenedCapture> {
    this.#captures.set(request.id, { folder: request.folder, bytes: 0, audio: '' });
    return super.open(request);
  }

  async speak(recording: string, payload: string): Promise<void> {
    const capture = this.#captures.get(recording);
    if (capture === undefined) return;
    await mkdir(capture.folder, { recursive: true });
    await appendFile(join(capture.folder, 'audio.wav.part'), payload);
    capture.audio += payload;
    capture.bytes += payload.length;
  }

  override async close(id: string, at: number): Promise<CaptureResult> {
    const result = await super.close(id, at);
    const capture = this.#captures.get(id);
    // Its files are closed: what is said from now on finds nobody.
    this.#captures.delete(id);
    if (capture === undefined || capture.bytes === 0) return result;
    const file: CapturedFile = {
      path: join(capture.folder, 'audio.wav.part'),
      suffix: '',
      codec: 'PCMA',
      channelLines: [0, 1],
      channelRoles: ['caller', 'callee'],
      samples: capture.bytes,
      bytes: capture.bytes,
      audioSha256: createHash('sha256').update(capture.audio).digest('hex'),
      audioOffset: 0,
    };
    return { ...result, files: [file] };
  }
}
