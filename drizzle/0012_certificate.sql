ALTER TABLE "pushes" ADD COLUMN "certificate" text;--> statement-breakpoint
CREATE UNIQUE INDEX "pushes_certificate" ON "pushes" USING btree ("certificate") WHERE "pushes"."certificate" is not null;