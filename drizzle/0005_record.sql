CREATE TABLE "gateways" (
	"id" uuid PRIMARY KEY NOT NULL,
	"seen_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stops" (
	"id" uuid PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"session_id" uuid,
	"reason" text NOT NULL,
	"stopped_by" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"lifted_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "tool_uses" (
	"exchange_id" uuid NOT NULL,
	"ordinal" integer NOT NULL,
	"session_id" uuid NOT NULL,
	"call_id" text NOT NULL,
	"name" text NOT NULL,
	"paths" text[] NOT NULL,
	"commands" text[] NOT NULL,
	"services" text[] NOT NULL,
	CONSTRAINT "tool_uses_exchange_id_ordinal_pk" PRIMARY KEY("exchange_id","ordinal")
);
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "turn" integer;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "refusal" text;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "gateway" uuid;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "request_masked" boolean DEFAULT false NOT NULL;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "answer_masked" boolean DEFAULT false NOT NULL;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "request_messages" integer[] DEFAULT '{}' NOT NULL;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "response_messages" integer[] DEFAULT '{}' NOT NULL;
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "history" "bytea";
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "history_after" "bytea";
--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "message_count" integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE "stops" ADD CONSTRAINT "stops_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "stops" ADD CONSTRAINT "stops_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "stops" ADD CONSTRAINT "stops_stopped_by_principals_id_fk" FOREIGN KEY ("stopped_by") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "tool_uses" ADD CONSTRAINT "tool_uses_exchange_id_exchanges_id_fk" FOREIGN KEY ("exchange_id") REFERENCES "public"."exchanges"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "stops_standing" ON "stops" USING btree ("principal_id") WHERE "stops"."lifted_at" is null;
--> statement-breakpoint
CREATE INDEX "tool_uses_session" ON "tool_uses" USING btree ("session_id");
--> statement-breakpoint
CREATE INDEX "exchanges_history" ON "exchanges" USING btree ("history") WHERE "exchanges"."history" is not null;
--> statement-breakpoint
CREATE INDEX "exchanges_history_after" ON "exchanges" USING btree ("history_after") WHERE "exchanges"."history_after" is not null;
--> statement-breakpoint
-- What is recorded already is carried over: messages get their numbers, and exchanges the lists of them.
ALTER TABLE "messages" ADD COLUMN "number" integer;
--> statement-breakpoint
UPDATE "messages" m SET "number" = n.number FROM (
  SELECT "id", row_number() OVER (PARTITION BY "session_id" ORDER BY "id") - 1 AS number FROM "messages"
) n WHERE n.id = m.id;
--> statement-breakpoint
ALTER TABLE "messages" ALTER COLUMN "number" SET NOT NULL;
--> statement-breakpoint
UPDATE "sessions" s SET "message_count" = c.count FROM (
  SELECT "session_id", count(*) AS count FROM "messages" GROUP BY "session_id"
) c WHERE c.session_id = s.id;
--> statement-breakpoint
UPDATE "exchanges" e SET "request_messages" = l.numbers FROM (
  SELECT x."exchange_id", array_agg(m."number" ORDER BY x."ordinal") AS numbers
  FROM "exchange_messages" x JOIN "messages" m ON m."id" = x."message_id" WHERE x."direction" = 'request' GROUP BY 1
) l WHERE l.exchange_id = e.id;
--> statement-breakpoint
UPDATE "exchanges" e SET "response_messages" = l.numbers FROM (
  SELECT x."exchange_id", array_agg(m."number" ORDER BY x."ordinal") AS numbers
  FROM "exchange_messages" x JOIN "messages" m ON m."id" = x."message_id" WHERE x."direction" = 'response' GROUP BY 1
) l WHERE l.exchange_id = e.id;
--> statement-breakpoint
DROP TABLE "exchange_messages" CASCADE;
--> statement-breakpoint
ALTER TABLE "messages" DROP COLUMN "id";
--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_session_id_number_pk" PRIMARY KEY("session_id","number");
