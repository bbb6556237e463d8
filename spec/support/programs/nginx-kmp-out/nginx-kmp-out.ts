import { systemClock, type Clock } from '../../../../lib/time/clock.js';
import { Controller, type Json } from './controller.js';
import { KmpOutTrack } from './track.js';

export interface NginxKmpOutOptions {
  /** Where all requests go: `kmp_ctrl_publish_url`, `kmp_ctrl_unpublish_url`, `kmp_ctrl_republish_url`. */
  readonly controlUrl: string;
  /** Application and stream name, as the encoder publishes them. */
  readonly app?: string;
  readonly name: string;
  readonly clock?: Clock;
  /** Bytes a track; default nginx-kmp-out's, 48 MiB for video and 1 MiB for audio. */
  readonly memoryLimit?: number;
}

/**
 * An encoder's stream in nginx with nginx-rtmp-kmp-module and nginx-kmp-out-module, as far as a KMP server and a
 * controller can see it (docs/protocol and the module's source, read in November 2026). The spec plays the encoder: it
 * writes media info and frames to the tracks, as packets made by hand.
 *
 *     const sender = new NginxKmpOut({ controlUrl, name: 'cam1' });
 *     sender.video.mediaInfo(videoMinf());
 *     sender.video.frame(frameAt(0, 'first', { key: true }));
 */
export class NginxKmpOut {
  readonly controller: Controller;
  readonly video: KmpOutTrack;
  readonly audio: KmpOutTrack;
  /** Settles when the encoder was disconnected because a track failed, with the reason that `unpublish` gives. */
  readonly disconnected: Promise<string>;
  isDisconnected = false;
  private resolveDisconnected: (reason: string) => void = () => {};

  constructor({ controlUrl, app = 'live', name, clock = systemClock, memoryLimit }: NginxKmpOutOptions) {
    const controller = (this.controller = new Controller(controlUrl, clock));
    this.disconnected = new Promise((resolve) => (this.resolveDisconnected = resolve));
    const tcUrl = `rtmp://ingest.example/${app}`;
    const rtmp = {
      app,
      flashver: 'FMLE/3.0',
      swf_url: '',
      tc_url: tcUrl,
      page_url: '',
      addr: '192.0.2.1',
      connection: 1,
    };
    const inputFields: Json = { input_type: 'rtmp', rtmp: { ...rtmp, name, type: 'live', args: '' } };
    const track = (media: 'video' | 'audio'): KmpOutTrack =>
      new KmpOutTrack({
        ...{ controller, clock, media, inputId: `${tcUrl}/${name}/${media}`, inputFields },
        ...(memoryLimit === undefined ? {} : { memoryLimit }),
        onError: (reason) => this.disconnect(reason),
      });
    this.video = track('video');
    this.audio = track('audio');
  }

  /** The encoder ends its stream; settles when both tracks are unpublished. */
  async end(reason = 'rtmp_close'): Promise<void> {
    this.video.end(reason);
    this.audio.end(reason);
    await Promise.all([this.video.unpublished, this.audio.unpublished]);
  }

  /** Cuts all connections without a word. */
  destroy(): void {
    this.video.destroy();
    this.audio.destroy();
  }

  private disconnect(reason: string): void {
    if (this.isDisconnected) return;
    this.isDisconnected = true;
    this.resolveDisconnected(reason);
    void this.end(reason);
  }
}
