/** One exchange with a model: what was asked, and the answer as it streamed. */
import { Masked, type Sightings } from "../masked.tsx";
import { Badge, duration, tokens } from "../parts.tsx";
import type { AnswerBlock, AskedBlock, ReplayExchange, ShownText } from "./replay-model.ts";
import { Rest } from "./rest.tsx";
import { splitFences } from "./text-blocks.ts";
import type { Timeline, TimelineSlot } from "./timeline.ts";
import { ToolView } from "./tool-view.tsx";

export interface ExchangeContext {
  readonly sightings: Sightings;
  /** Of an exchange: all of it as plain text. */
  readonly rawUrl: (exchangeId: string) => string;
  readonly timeline: Timeline;
  /** Begun at; times are told from here. */
  readonly startedAt: Date;
  /** Exchanges that commits came from, with how many. */
  readonly commits: ReadonlyMap<string, number>;
}

const INLINE_CODE = /(`[^`\n]{1,300}`)/;

/** Inline code is set apart; everything else stays as it was written. */
const Prose = ({ text, sightings }: { text: string; sightings: Sightings }) => (
  <div class="prose">
    {text.split(INLINE_CODE).map((piece, index) =>
      index % 2 === 1 ? (
        <code>
          <Masked text={piece.slice(1, -1)} sightings={sightings} />
        </code>
      ) : (
        <Masked text={piece} sightings={sightings} />
      ),
    )}
  </div>
);

const Code = ({ info, text, sightings }: { info: string; text: string; sightings: Sightings }) => (
  <figure class="fence">
    {info !== "" && <figcaption>{info}</figcaption>}
    <pre>
      <code>
        <Masked text={text} sightings={sightings} />
      </code>
    </pre>
  </figure>
);

const Said = ({ text, sightings }: { text: string; sightings: Sightings }) => (
  <>
    {splitFences(text).map((block) =>
      block.kind === "prose" ? (
        <Prose text={block.text} sightings={sightings} />
      ) : (
        <Code info={block.info} text={block.text} sightings={sightings} />
      ),
    )}
  </>
);

const Cut = ({ text, href }: { text: ShownText; href: string }) =>
  text.text.length < text.length ? <Rest length={text.length} href={href} /> : null;

/** Texts that nobody said to anybody. */
const Folded = (props: { label: string; text: ShownText; href: string; sightings: Sightings }) => (
  <details class="folded">
    <summary>
      {props.label} <span class="soft size">{props.text.length.toLocaleString("en")} characters</span>
    </summary>
    <pre>
      <Masked text={props.text.text} sightings={props.sightings} />
    </pre>
    <Cut text={props.text} href={props.href} />
  </details>
);

/** The size and hash that stand for bytes which are not kept (`bytesPlaceholder`). */
const PLACEHOLDER = /\[\d+ [\w ./+-]{1,100}, sha256 [0-9a-f]{16}\]/;

const Attached = (props: { block: AskedBlock & { readonly kind: "attached" }; href: string; sightings: Sightings }) => {
  const { label, text } = props.block;
  const [bytes] = PLACEHOLDER.exec(text.text) ?? [];
  if (bytes === undefined) return <Folded label={label} text={text} href={props.href} sightings={props.sightings} />;
  return (
    <p class="attached" title="What it shows is not on record: the same bytes have the same hash wherever they come up">
      <strong>{label}</strong> {bytes.slice(1, -1)}
    </p>
  );
};

const Asked = ({ block, href, sightings }: { block: AskedBlock; href: string; sightings: Sightings }) => {
  switch (block.kind) {
    case "prompt":
      return (
        <div class="prompt">
          <Said text={block.prompt.text} sightings={sightings} />
          {block.prompt.context.map(({ name, text }) => (
            <details class="folded">
              <summary>
                <code>{name}</code> <span class="soft">added by the client</span>
              </summary>
              <pre>
                <Masked text={text} sightings={sightings} />
              </pre>
            </details>
          ))}
          {block.isCut && <Rest length={block.length} href={href} />}
        </div>
      );
    case "attached":
      return <Attached block={block} href={href} sightings={sightings} />;
    case "given":
      return <Folded label={block.label} text={block.text} href={href} sightings={sightings} />;
    case "result":
    default:
      return <Folded label="Result of an earlier call" text={block.result} href={href} sightings={sightings} />;
  }
};

const Answered = (props: { block: AnswerBlock; exchange: ReplayExchange; context: ExchangeContext }) => {
  const { block, exchange, context } = props;
  const href = context.rawUrl(exchange.record.id);
  switch (block.kind) {
    case "text":
      return (
        <>
          <Said text={block.text.text} sightings={context.sightings} />
          <Cut text={block.text} href={href} />
        </>
      );
    case "completion":
      return (
        <>
          <Code info="offered at the cursor" text={block.text.text} sightings={context.sightings} />
          <Cut text={block.text} href={href} />
        </>
      );
    case "reasoning":
      return <Folded label="Reasoning" text={block.text} href={href} sightings={context.sightings} />;
    case "tool":
      return (
        <ToolView
          block={block}
          sightings={context.sightings}
          rawUrl={context.rawUrl}
          exchangeId={exchange.record.id}
          resultAt={block.result === null ? undefined : context.timeline.slots.get(block.result.exchangeId)?.at}
        />
      );
    case "opaque":
    default:
      return <Folded label={block.label} text={block.text} href={href} sightings={context.sightings} />;
  }
};

/** `ms,length;ms,length;…` */
const encodeMoments = ({ record }: ReplayExchange): string =>
  record.timing.map(({ ms, length }) => `${ms},${length}`).join(";");

/** From the session's start: `+1:04:09`. */
function offset(from: Date, at: Date): string {
  const seconds = Math.max(0, Math.round((at.getTime() - from.getTime()) / 1_000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours > 0 ? `+${hours}:${two(minutes)}:${two(rest)}` : `+${minutes}:${two(rest)}`;
}

const Meta = ({ exchange, context }: { exchange: ReplayExchange; context: ExchangeContext }) => {
  const { record, number } = exchange;
  const took = record.finishedAt === null ? null : record.finishedAt.getTime() - record.startedAt.getTime();
  const commits = context.commits.get(record.id) ?? 0;
  return (
    <p class="meta">
      <a class="number" href={`#x-${record.id}`} title="Link to this exchange">
        {number}
      </a>
      {record.model !== null && <span class="model">{record.model}</span>}
      <time datetime={record.startedAt.toISOString()} title={record.startedAt.toISOString()}>
        {offset(context.startedAt, record.startedAt)}
      </time>
      {took !== null && <span title="From the request to the answer's end">{duration(took)}</span>}
      {record.inputTokens !== null && (
        <span
          title={`Tokens of the request${record.cachedTokens === null ? "" : ` (${record.cachedTokens} of them from the upstream's cache)`} and of the answer`}
        >
          {tokens(record.inputTokens)} → {tokens(record.outputTokens ?? 0)}
        </span>
      )}
      {record.status !== "complete" && <Badge status={record.status} />}
      {commits > 0 && (
        <a class="badge good" href="#commits">
          {commits === 1 ? "in a commit" : `in ${commits} commits`}
        </a>
      )}
      <a class="raw" href={context.rawUrl(record.id)}>
        raw
      </a>
    </p>
  );
};

const isAside = (block: AskedBlock): boolean => block.kind === "given";

/** An exchange in which nothing was said (the list of models, a refused path) is one line. */
export const ExchangeView = ({ exchange, context }: { exchange: ReplayExchange; context: ExchangeContext }) => {
  const { record, asked, answer, depth } = exchange;
  const slot: TimelineSlot | undefined = context.timeline.slots.get(record.id);
  const href = context.rawUrl(record.id);
  const aside = asked.filter(isAside);
  return (
    <article
      id={`x-${record.id}`}
      class={`exchange depth-${depth}`}
      aria-label={`Exchange ${exchange.number}`}
      data-at={slot?.at}
    >
      {asked.length === 0 && answer.length === 0 && (
        <p class="quiet">
          <code>
            {record.method} {record.path}
          </code>
        </p>
      )}
      {depth > 0 && <p class="agent">Sub-agent</p>}
      {asked
        .filter((block) => !isAside(block))
        .map((block) => (
          <Asked block={block} href={href} sightings={context.sightings} />
        ))}
      {aside.length > 0 && (
        <details class="asides">
          <summary>{aside.length === 1 ? "1 text" : `${aside.length} texts`} from the client that nobody typed</summary>
          {aside.map((block) => (
            <Asked block={block} href={href} sightings={context.sightings} />
          ))}
        </details>
      )}
      <Meta exchange={exchange} context={context} />
      {record.error !== null && (
        <p class="note bad">
          <Masked text={record.error} sightings={context.sightings} />
        </p>
      )}
      {answer.length > 0 && (
        <div
          class="answer"
          data-from={slot?.answerAt}
          data-to={slot?.end}
          data-length={exchange.answerLength}
          data-moments={encodeMoments(exchange)}
        >
          {answer.map((block) => (
            <div class={`block ${block.kind}`} data-begin={block.from} data-end={block.to}>
              <Answered block={block} exchange={exchange} context={context} />
            </div>
          ))}
        </div>
      )}
    </article>
  );
};
