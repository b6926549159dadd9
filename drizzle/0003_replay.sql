CREATE TABLE "mask_sightings" (
	"session_id" uuid NOT NULL,
	"fingerprint" text NOT NULL,
	"kind" text NOT NULL,
	CONSTRAINT "mask_sightings_fingerprint_session_id_kind_pk" PRIMARY KEY("fingerprint","session_id","kind")
);
--> statement-breakpoint
ALTER TABLE "exchanges" ADD COLUMN "timing" "bytea";--> statement-breakpoint
ALTER TABLE "mask_sightings" ADD CONSTRAINT "mask_sightings_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "mask_sightings_session" ON "mask_sightings" USING btree ("session_id");