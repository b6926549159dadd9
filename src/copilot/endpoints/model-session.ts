/**
 * `POST /models/session` and `/auto`: Copilot picks the model. The answer's `session_token` comes back in the header
 * `Copilot-Session-Token`; it is a bearer's, so it is never kept, only known again by its hash.
 */
import { err, ok } from "../../errors.ts";
import { asObject, asText, describeJson, isObject, textOrNull, without } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";
import { parametersMessage } from "./message-parts.ts";
import { createPlainAssembler } from "./plain-answer.ts";

const PATHS = ["/models/session", "/auto"];

export const modelSession: Endpoint = {
  format: "model-session",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "none",
  conversation: {
    parseRequest(json) {
      if (!isObject(json)) return err("the body is not a JSON object");
      return ok({
        model: textOrNull(json["model"]),
        streamed: false,
        messages: [parametersMessage(json, [])],
        references: [],
        keepsIds: true,
      });
    },
    assembleAnswer: () =>
      createPlainAssembler({
        describe: (json) => [
          {
            role: "assistant",
            parts: [{ type: "opaque", kind: "choice", text: describeJson(without(asObject(json), ["session_token"])) }],
          },
        ],
        issued: (json) => [asText(asObject(json)["session_token"])].filter((token) => token !== ""),
      }),
  },
};
