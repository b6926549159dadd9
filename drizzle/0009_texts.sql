ALTER TABLE "exchanges" ADD COLUMN "cached_tokens" integer;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "is_indexed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "messages_unindexed" ON "messages" USING btree ("session_id") WHERE not "messages"."is_indexed";--> statement-breakpoint
-- pg_trgm comes with PostgreSQL, but not every server has it installed, and not every user may create it: searching is slow then, and nothing else.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX messages_text ON messages USING gin ((parts::text) gin_trgm_ops) WHERE is_indexed;
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE 'no index of texts: %', SQLERRM;
END
$$;
