/**
 * `POST /embeddings` and `POST /chunks`: texts in, vectors out. The texts are kept; of the vectors, how many and how long.
 * `/chunks` cuts a file into pieces first, and answers with the pieces.
 * @see https://platform.openai.com/docs/api-reference/embeddings/create
 */
import { err, ok } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import { asArray, asObject, asText, isObject, textOrNull } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";
import { parametersMessage, textPart } from "./message-parts.ts";
import { createPlainAssembler } from "./plain-answer.ts";

const EMBEDDINGS = ["/embeddings", "/v1/embeddings"];

const vectorNote = (count: number, first: unknown): Part => {
  // A vector is a list of numbers, or base64 of 32-bit floats.
  const length = Array.isArray(first) ? first.length : Math.floor((asText(first).length * 3) / 16);
  return { type: "opaque", kind: "vectors", text: `${count} × ${length}` };
};

export const embeddings: Endpoint = {
  format: "embeddings",
  matches: (method, path) => method === "POST" && EMBEDDINGS.includes(path),
  access: "inference",
  grouping: "none",
  conversation: {
    parseRequest(json) {
      if (!isObject(json)) return err("the body is not a JSON object");
      // OpenAI says `input`, Copilot `inputs`.
      const input = json["input"] ?? json["inputs"];
      const texts = typeof input === "string" ? [input] : asArray(input);
      // Numbers are tokens: what they say can be read nowhere on the way, nor masked.
      if (texts.length === 0 || !texts.every((text) => typeof text === "string")) {
        return err("`input` is neither a text nor a list of texts");
      }
      return ok({
        model: textOrNull(json["model"]),
        streamed: false,
        messages: [
          parametersMessage(json, ["input", "inputs"]),
          ...texts.map((text): Message => ({ role: "user", parts: textPart(text) })),
        ],
        references: [],
        keepsIds: false,
      });
    },
    assembleAnswer: () =>
      createPlainAssembler({
        describe(json) {
          const data = asArray(asObject(json)["data"] ?? asObject(json)["embeddings"]);
          if (data.length === 0) return [];
          return [{ role: "assistant", parts: [vectorNote(data.length, asObject(data[0])["embedding"] ?? data[0])] }];
        },
      }),
  },
};

export const chunks: Endpoint = {
  format: "chunks",
  matches: (method, path) => method === "POST" && path === "/chunks",
  access: "inference",
  grouping: "none",
  conversation: {
    parseRequest(json) {
      if (!isObject(json)) return err("the body is not a JSON object");
      return ok({
        model: textOrNull(json["embedding_model"]),
        streamed: false,
        messages: [parametersMessage(json, ["content"]), { role: "user", parts: textPart(asText(json["content"])) }],
        references: [],
        keepsIds: false,
      });
    },
    assembleAnswer: () =>
      createPlainAssembler({
        describe(json) {
          const pieces = asArray(asObject(json)["chunks"]).map(asObject);
          if (pieces.length === 0) return [];
          const vector = asObject(asObject(pieces[0])["embedding"])["embedding"];
          // Their text is the request's own.
          return [{ role: "assistant", parts: [vectorNote(pieces.length, vector)] }];
        },
      }),
  },
};
