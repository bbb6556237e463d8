import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { defaultMediaSettings, mediaDirectives, mediaSettings, type MediaSettings } from '../../lib/config/settings.js';
import { version } from '../../lib/base/version.js';

describe('media settings', () => {
  /** The defaults that the module documents; it documents none for out_buffer_size and the bin counts. */
  const documented: Partial<MediaSettings> = {
    inReadTimeout: 20_000,
    inSendTimeout: 10_000,
    inMemLimit: 262_144,
    inBufferSize: 65_536,
    inBufferBinCount: 8,
    inMaxFreeBuffers: 4,
    inMaxNameLength: 256,
    inLogFrames: 'off',
    inDumpFolder: '',
    outNotifUrl: '',
    outNotifAddHeader: [],
    outNotifTimeout: 2000,
    outNotifReadTimeout: 20_000,
    outNotifRetry: 300_000,
    outNotifSecret: '',
    outNotifSecretFile: '',
    outNotifBufferSize: 4096,
    outMemLimit: 16_777_216,
    outMaxFreeBuffers: 4,
    outTimeout: 10_000,
    outFlushTimeout: 500,
    outBufferSize: 65_536,
    outBufferBinCount: 8,
    outFlashVer: `FMLE/3.0 (compatible; KalturaLive/${version})`,
    outChunkSize: 65_536,
    outWriteMetaTimeout: 3000,
    outMinProcessDelay: 500,
    outMaxProcessDelay: 1000,
    outOnfiPeriod: 5000,
    outDumpFolder: '',
  };

  /** Our own, which must keep the documented behaviour where they are not given. */
  const ours: Partial<MediaSettings> = {
    inAck: 'on',
    inMaxSkipFrames: 2000,
    inReadInterval: { shortest: 100, longest: 230 },
    inOwner: 'secret',
    inMaxConnections: 10_000,
    inMaxConnectionsPerAddress: 'auto',
    outStreamId: 'auto',
    outAnswerTimeout: 5000,
    outConnection: 'upstream',
    outMetadataName: '@onMetaData',
    outSslVerify: true,
    outSslTrustedCertificate: '',
    outSslName: '',
    outTrackMemLimit: 'auto',
    outMaxStreams: 64,
    outReconnects: 0,
    outLinger: 0,
    outSlate: 'none',
    outSlateAfter: 2000,
    outReconnectInterval: 1000,
    outFailback: 60_000,
    outFailoverTimeout: 1500,
    outFailoverLag: 5000,
    outReconnectMaxInterval: 30_000,
    outResend: 1000,
    outNotifEvents: ['rtmp_close'],
    outOverload: 'drop_upstream',
    outMaxLag: 5000,
    outEarlyRelease: false,
    outLateTracks: 'reject',
    outEnhanced: 'auto',
    outHeader: 'on',
    outAccess: [],
  };

  it('has the default of every directive', () => {
    assert.deepEqual(defaultMediaSettings(), { ...documented, ...ours });
  });

  it('shows the documented default of flash_ver with its placeholder', () => {
    assert.equal(mediaDirectives.kmp_rtmp_out_flash_ver.defaultText, 'FMLE/3.0 (compatible; KalturaLive/{version})');
  });

  it('replaces defaults, and ignores undefined', () => {
    const settings = mediaSettings({ outChunkSize: 4096, outTimeout: undefined });
    assert.equal(settings.outChunkSize, 4096);
    assert.equal(settings.outTimeout, 10_000);
  });

  it('rejects an unknown setting and suggests a similar one', () => {
    const misspelt = { outChunksize: 4096 } as Partial<MediaSettings>;
    assert.throws(
      () => mediaSettings(misspelt),
      /there is no media setting "outChunksize"; did you mean "outChunkSize"\?/,
    );
  });
});
