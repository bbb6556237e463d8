import { KmpRtmpError } from '../../base/errors.js';

/** A worker process does not answer, or is being replaced. What is asked of it is not known. */
export class WorkerUnavailable extends KmpRtmpError {
  constructor(why: string) {
    super('worker_unavailable', why);
  }
}

/** A node of the fleet does not answer, and no other node has what is asked for. */
export class NodeUnavailable extends KmpRtmpError {
  constructor(why: string) {
    super('node_unavailable', why);
  }
}
