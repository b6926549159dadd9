/**
 * A connection to an upstream, one request at a time. Not `node:http`: what that makes for each chunk of a stream (a buffer of its own, two
 * passes through a readable stream, an event) is most of what relaying it costs. Here the socket reads into one buffer again and again,
 * and a chunk is one small copy of what it held.
 */
import net from "node:net";
import tls from "node:tls";
import { type AnswerHead, HttpAnswerParser } from "../../copilot/streams/http-answer.ts";
import type { AnswerReader, UpstreamAnswer } from "./upstream-answer.ts";

/**
 * What every connection reads into. Libuv fills it and hands it over in one go, and what is kept of it is copied before anybody else is heard:
 * one buffer that stays in the processor's cache, instead of one for each of a thousand streams.
 */
const READ = Buffer.allocUnsafeSlow(64 * 1024);
/** So often within the time that an upstream may be silent it is looked whether it has been. */
const LOOKS = 4;

export interface Origin {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
}

export interface SentRequest {
  readonly method: string;
  /** Request line and headers, with the empty line. */
  readonly head: string;
  readonly body: Buffer | null;
  /** How long the upstream may stay silent, in milliseconds. */
  readonly idleMs: number;
  /** Its head has come. */
  readonly answered: (answer: UpstreamAnswer) => void;
  /** There will be no answer. `wasHeard`: some of one has come. */
  readonly failed: (error: NodeJS.ErrnoException, wasHeard: boolean) => void;
}

export interface ConnectionOptions {
  /** For a quicker handshake: what an earlier connection to the origin was given. */
  readonly session: Buffer | undefined;
  readonly onSession: (session: Buffer) => void;
  /** It has done its request, and could take another. */
  readonly onFree: (connection: UpstreamConnection, head: AnswerHead) => void;
  readonly onClose: (connection: UpstreamConnection) => void;
}

export class UpstreamConnection {
  /** Requests that it has taken. */
  uses = 0;
  readonly #socket: net.Socket;
  readonly #options: ConnectionOptions;
  #request: SentRequest | null = null;
  #parser: HttpAnswerParser | null = null;
  #answer: Answer | null = null;
  #wasHeard = false;
  #silentFor = 0;
  #watch: NodeJS.Timeout | null = null;
  #error: NodeJS.ErrnoException | null = null;

  constructor({ secure, host, port }: Origin, options: ConnectionOptions) {
    this.#options = options;
    const onread: net.OnReadOpts = {
      buffer: READ,
      callback: (length) => {
        this.#take(length);
        return true;
      },
    };
    if (secure) {
      // RFC 6066 §3: an address is no server name.
      const servername = net.isIP(host) === 0 ? host : "";
      const ready = { host, port, servername, ALPNProtocols: ["http/1.1"], session: options.session, onread };
      const secured = tls.connect(ready);
      secured.on("session", options.onSession);
      this.#socket = secured;
    } else this.#socket = net.connect({ host, port, onread });
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, 1_000);
    this.#socket.on("error", (error) => (this.#error ??= error));
    this.#socket.on("timeout", () => this.destroy());
    // An upstream that ends its side ends the answer, and says nothing more.
    this.#socket.once("end", () => this.#ended());
    this.#socket.once("close", () => this.#closed());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.readable;
  }

  send(request: SentRequest): void {
    this.uses += 1;
    this.#request = request;
    this.#parser = new HttpAnswerParser(request.method);
    this.#wasHeard = false;
    const socket = this.#socket;
    socket.ref();
    // Not the socket's own: that one is set anew at each chunk.
    socket.setTimeout(0);
    this.#silentFor = 0;
    this.#watch = setInterval(() => this.#look(request.idleMs), request.idleMs / LOOKS).unref();
    socket.cork();
    socket.write(request.head, "latin1");
    if (request.body !== null && request.body.length > 0) socket.write(request.body);
    socket.uncork();
  }

  /** Waits for its next request, and keeps no process alive; after `ms` it ends. */
  rest(ms: number): void {
    this.#socket.setTimeout(ms);
    this.#socket.unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #take(length: number): void {
    this.#silentFor = 0;
    const parser = this.#parser;
    // Nothing was asked: whatever it is, it would be taken for the next answer.
    if (parser === null) return this.destroy();
    this.#wasHeard = true;
    parser.take(READ, length);
    const body = parser.bodyEnd > parser.bodyStart ? copyOf(READ, parser.bodyStart, parser.bodyEnd) : null;
    if (this.#answer === null && parser.head !== null) this.#begin(parser.head);
    if (body !== null) this.#answer?.take(body);
    if (parser.failure !== null) return this.#fail(new Error(`an answer that is not HTTP: ${parser.failure}`));
    if (parser.isWhole) this.#whole(parser);
  }

  #begin(head: AnswerHead): void {
    const answer = new Answer(head, this);
    this.#answer = answer;
    this.#request?.answered(answer);
  }

  #whole(parser: HttpAnswerParser): void {
    const answer = this.#answer;
    this.#answer = null;
    this.#parser = null;
    this.#request = null;
    this.#unwatch();
    // What of the request has not left yet would be the beginning of the next one.
    if (parser.isPersistent && parser.head !== null && this.#socket.writableLength === 0 && this.isOpen) {
      this.#socket.resume();
      this.#options.onFree(this, parser.head);
    } else this.destroy();
    answer?.end();
  }

  #look(idleMs: number): void {
    this.#silentFor += 1;
    if (this.#silentFor > LOOKS) this.#fail(new Error(`silent for ${idleMs / 1000} s`));
  }

  #unwatch(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  #fail(error: NodeJS.ErrnoException): void {
    const answer = this.#answer;
    const request = this.#request;
    this.#answer = null;
    this.#parser = null;
    this.#request = null;
    this.#unwatch();
    this.destroy();
    if (answer !== null) answer.cut();
    else request?.failed(error, this.#wasHeard);
  }

  #ended(): void {
    const parser = this.#parser;
    parser?.finish();
    if (parser?.isWhole === true) this.#whole(parser);
    else this.#fail(this.#error ?? hangUp());
  }

  #closed(): void {
    this.#options.onClose(this);
    this.#fail(this.#error ?? hangUp());
  }
}

const hangUp = (): NodeJS.ErrnoException => Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}

type AnswerEnd = "whole" | "cut";

/** Until somebody reads it, the connection is not read either: at most one buffer of it waits. */
class Answer implements UpstreamAnswer {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly rawHeaders: readonly string[];
  readonly headers: AnswerHead["headers"];
  #connection: UpstreamConnection | null;
  #reader: AnswerReader | null = null;
  #held: Buffer | null = null;
  #end: AnswerEnd | null = null;
  #isForgotten = false;

  constructor(head: AnswerHead, connection: UpstreamConnection) {
    this.statusCode = head.statusCode;
    this.statusMessage = head.statusMessage;
    this.rawHeaders = head.rawHeaders;
    this.headers = head.headers;
    this.#connection = connection;
    connection.pause();
  }

  take(chunk: Buffer): void {
    if (this.#reader !== null) this.#reader.take(chunk);
    else this.#held = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
  }

  end(): void {
    this.#finish("whole");
  }

  cut(): void {
    this.#finish("cut");
  }

  #finish(end: AnswerEnd): void {
    this.#connection = null;
    if (this.#end !== null) return;
    this.#end = end;
    this.#tell();
  }

  #tell(): void {
    if (this.#isForgotten || this.#reader === null) return;
    if (this.#end === "whole") this.#reader.end();
    if (this.#end === "cut") this.#reader.cut();
  }

  read(reader: AnswerReader): void {
    this.#reader = reader;
    const held = this.#held;
    this.#held = null;
    this.#connection?.resume();
    if (this.#isForgotten) return;
    if (held !== null) reader.take(held);
    this.#tell();
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  destroy(): void {
    this.#isForgotten = true;
    this.#connection?.destroy();
    this.#connection = null;
  }
}
