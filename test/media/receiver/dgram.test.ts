import { DgramReceiver } from '../../../src/media/receiver/dgram.ts';
import { describeReceiver } from './conformance.ts';

describeReceiver('dgram receiver', (options) => new DgramReceiver(options));
