/**
 * The public door of kmp-rtmp: every name that your programs may import, and nothing else. The order is that of
 * the path of a frame; docs/pipeline.md has complete examples.
 *
 * @packageDocumentation
 */

// What the layers share: time, logs, errors. Each error that is thrown on purpose is a KmpRtmpError with a stable
// `code`.
export { systemClock, type Clock, type Timer } from './time/clock.js';
export { noLog, type LogFields, type Logger, type LogLevel } from './base/logger.js';
export { Logging, type LoggingOptions } from './logging/winston-log.js';
export { winstonLog } from './logging/winston-adapter.js';
export { KmpRtmpError, type ErrorCode } from './base/errors.js';
export { maskText, maskUrl } from './base/mask.js';
export { buildInfo, version } from './base/version.js';

// KMP: bytes to packets, and packets to bytes.
export { KmpDecoder, type KmpDecoderOptions, type PacketBatch } from './kmp/decoder.js';
export { KmpParser, type KmpParserOptions, type UnfinishedPacket } from './kmp/parser.js';
export { parseDump, readDump, type Dump } from './kmp/dump.js';
export { parseConnectData, type ConnectData } from './kmp/connect-data.js';
export { signConnectData } from './kmp/signature.js';
export { AckParser, type Ack } from './kmp/ack-parser.js';
export { KmpError, type KmpErrorCode, type KmpErrorPlace } from './kmp/error.js';
export {
  CONNECT_CONSISTENT,
  INVALID_FRAME_ID,
  MAX_DATA_SIZE,
  MAX_HEADER_SIZE,
  PacketType,
  packetTypeName,
  type ConnectPacket,
  type EndPacket,
  type KmpPacket,
  type MediaInfoPacket,
  type NullPacket,
} from './kmp/packet.js';
export {
  writeAck,
  writeConnect,
  writeEnd,
  writeFrame,
  writeFrameHeader,
  writeMediaInfo,
  writeNull,
  type ConnectOptions,
  type FrameFields,
} from './kmp/writer.js';

// What both protocols speak of.
export { Codec, codecName, type MediaType } from './media/codec.js';
export { Frame, KEY_FRAME, type FrameChanges } from './media/frame.js';
export { sameMediaInfo, type AudioInfo, type MediaInfo, type VideoInfo } from './media/media-info.js';
export { toMs } from './media/timescale.js';

// The merge: which frame is next, and when.
export { Merger, type FrameSink, type MergeInput, type MergerOptions } from './merge/merger.js';
export { MergeRule, type MergeDelays } from './merge/rule.js';
export { TrackQueue, type QueueGroup } from './merge/track-queue.js';

// RTMP: messages to bytes, and the connection that takes them.
export { SessionWriter, type ConnectParams, type SessionOptions, type StreamState } from './rtmp/session-writer.js';
export { isSupported, sequenceHeader, TagHead } from './rtmp/media-tags.js';
export { ServerReader, type ServerEvent, type ServerReaderOptions, type StatusText } from './rtmp/server-reader.js';
export { protocolReply } from './rtmp/protocol-reply.js';
export {
  RtmpPublisher,
  type OutputBatch,
  type PublisherOptions,
  type PublisherState,
} from './rtmp/network/publisher.js';
export type { ConnectTarget, TlsSettings } from './rtmp/network/tcp-connect.js';
export { PublishError, type PublishStage } from './rtmp/publish-error.js';
export { RtmpError, type RtmpErrorCode } from './rtmp/errors.js';
export { parseRtmpUrl, RtmpUrlError, type RtmpUrl } from './rtmp/rtmp-url.js';
export { dnsResolve, systemResolve, type DnsServers, type Resolve } from './rtmp/network/resolve.js';

// Lines of your own: stages to pipe together, or a whole upstream with inputs.
export { StreamMerger, type StreamMergerOptions } from './compose/stream-merger.js';
export { rtmpPublisher, type RtmpPublisherOptions } from './compose/rtmp-publisher.js';
export { publishFile, type PublishFileOptions } from './compose/publish-file.js';
export { Publication, publishTo, type PublicationEnd, type PublishToOptions } from './compose/publish-to.js';
export type { ConnectFields, PublishOptions } from './compose/publish-options.js';

// The service, its configuration, and what it says of itself.
export { Service, type ServiceOptions } from './service.js';
export { defaultConfig, defaultConfigText, loadConfig, parseConfig, type LoadOptions } from './config/load.js';
export type { Config, HttpServerConfig, KmpServerConfig } from './config/config.js';
export { ConfigError, type ConfigErrorCode } from './config/errors.js';
export { defaultMediaSettings, mediaSettings, type MediaSettings } from './config/settings.js';
export { ListenError } from './net/listen.js';
export { CLOSE_REASONS, type CloseReason } from './upstream/report/close-reason.js';
export type {
  GlobalStatus,
  InputStatus,
  LastError,
  LastStatus,
  LatencyStatus,
  Management,
  NodeStatus,
  StreamStatus,
  TrackStatus,
  UpstreamIds,
  UpstreamState,
  UpstreamStatus,
  UpstreamStatuses,
} from './upstream/report/status.js';

// Express routers, for your own app.
export { managementRouter, type ManagementOptions } from './api/router.js';
export { metricsRouter, type MetricsOptions } from './api/metrics/metrics.js';
export { healthRouter, type Health } from './api/health.js';
export { statusRouter, type StatusOptions } from './api/status/router.js';
export { controlRouter, type ControlOptions } from './control/router.js';
export type { KmpAddress } from './control/kmp-url.js';
export type { Route } from './config/route.js';
export { createApp, type AppSettings, type LocationSettings } from './api/app.js';
export { accessControl, type AccessRule } from './api/access.js';
export { hostCheck } from './api/security.js';
export { bearerToken } from './api/token.js';
export { openApiDocument, type OpenApiDocument } from './api/openapi/openapi.js';
export type { FrameTotals, ServiceCounters, ServiceTotals } from './api/metrics/service-counters.js';

// A KMP sender and a small RTMP server, for tests and tools.
export { openSource } from './source/open.js';
export type { MediaSource, SourceFrame, SourceOptions, SourceTrack } from './source/source.js';
export { planTracks, type PlannedTrack, type PlanOptions } from './send/plan.js';
export { toKmp, type ToKmpOptions } from './send/to-kmp.js';
export { Sender, type SenderOptions, type SendProgress, type SendReport, type TrackReport } from './send/sender.js';
export { KmpClient } from './send/kmp-client.js';
export type { KmpClientOptions, OutFrame } from './send/client-options.js';
export { Ingest, type ConnectRequest, type IngestOptions, type PublishRequest, type Renamed } from './ingest/ingest.js';
export {
  IngestStream,
  type EndReason,
  type IngestMessage,
  type PublisherFields,
  type Refusal,
} from './ingest/ingest-stream.js';
export { FlvRecorder } from './ingest/flv-recorder.js';
