/** Before each file: what is made up by chance is the same in every run, so that a failure is a change's and not the day's. */
import * as fc from "fast-check";

fc.configureGlobal({ seed: 1 });
