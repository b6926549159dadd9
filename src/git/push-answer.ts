/**
 * An upstream's answer to a push, as it arrives: side-band or plain, told apart by the first packet (a band's byte, or the
 * word "unpack"), since the answer has the form that the *client* asked for.
 */
import { StringDecoder } from "node:string_decoder";
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import { parseReportStatus, type PushReport } from "./report-status.ts";
import { SidebandDemux } from "./sideband.ts";

const MAX_REPORT_BYTES = 16 * 1024 * 1024;
const MAX_MESSAGE_LENGTH = 64 * 1024;

export class PushAnswer {
  readonly #demux = new SidebandDemux();
  readonly #text = new StringDecoder("utf8");
  readonly #onMessage: (text: string) => void;
  #form: "unknown" | "sideband" | "plain" = "unknown";
  #begin: Buffer = Buffer.alloc(0);
  #report: Buffer[] = [];
  #reportBytes = 0;
  #messages = "";

  /** @param onMessage gets the upstream's own text, unchanged and in pieces */
  constructor(onMessage: (text: string) => void = () => {}) {
    this.#onMessage = onMessage;
  }

  /** @throws GatewayError `upstream_misbehaved` for what is no answer, and for a fatal error that the upstream tells */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#form === "unknown") {
      this.#begin = bytes = Buffer.concat([this.#begin, chunk]);
      const fifth = bytes[4];
      if (fifth === undefined) return;
      this.#form = fifth <= 3 ? "sideband" : "plain";
    }
    if (this.#form === "plain") this.#keep(bytes);
    else this.#demultiplex(bytes);
  }

  #demultiplex(bytes: Buffer): void {
    let parts;
    try {
      parts = this.#demux.push(bytes);
    } catch (cause) {
      throw noAnswer(cause);
    }
    for (const part of parts) {
      if (part.band === 1) this.#keep(part.data);
      else if (part.band === 2) this.#tell(this.#text.write(part.data));
      else if (part.band === 3) {
        throw new GatewayError(
          "upstream_misbehaved",
          `the upstream failed: ${escapeLine(part.data.toString().trim())}`,
        );
      }
    }
  }

  #keep(bytes: Buffer): void {
    this.#reportBytes += bytes.length;
    if (this.#reportBytes > MAX_REPORT_BYTES) throw noAnswer(new Error("the report is too long"));
    this.#report.push(bytes);
  }

  #tell(text: string): void {
    if (text === "") return;
    if (this.#messages.length < MAX_MESSAGE_LENGTH) this.#messages += text;
    this.#onMessage(text);
  }

  /** The report, once it is complete. @throws GatewayError `upstream_misbehaved` */
  finish(): { readonly report: PushReport; readonly messages: readonly string[] } {
    const messages = this.#messages.slice(0, MAX_MESSAGE_LENGTH).split(/[\r\n]+/);
    try {
      return {
        report: parseReportStatus(Buffer.concat(this.#report)),
        messages: messages.filter((line) => line.trim() !== ""),
      };
    } catch (cause) {
      throw noAnswer(cause);
    }
  }
}

const noAnswer = (cause: unknown): GatewayError =>
  new GatewayError("upstream_misbehaved", "the upstream's answer to the push is not Git's or is not complete", {
    cause,
  });
