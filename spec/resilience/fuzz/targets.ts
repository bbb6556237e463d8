import type { Target } from './target.js';
import { codecHeaders, dumps, flvFiles } from './targets/files.js';
import { handshakeClient, handshakeServer } from './targets/handshake.js';
import { acks, connectData, kmpPackets } from './targets/kmp.js';
import { dnsAnswers, httpRequests } from './targets/network.js';
import { amf0, amf0Writer, chunks, ingestSession, serverReplies } from './targets/rtmp.js';
import { authTexts, callbacks, nginxSyntax, rtmpUrls } from './targets/text.js';

/** Every parser that reads what others wrote. */
export const targets: readonly Target[] = [
  ...[kmpPackets, connectData, acks, serverReplies, chunks, amf0, amf0Writer, ingestSession],
  ...[handshakeClient, handshakeServer, nginxSyntax, rtmpUrls, callbacks, authTexts, codecHeaders],
  ...[dumps, flvFiles, httpRequests, dnsAnswers],
];
