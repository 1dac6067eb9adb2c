// The format of an endpoint as the API shows and takes it. What its options may be is core/formats/endpoint-format.ts.
import { z } from 'zod';
import { FORMAT_NAMES } from '../core/formats/endpoint-format.ts';

export const FormatSchema = z
  .object({ name: z.enum(FORMAT_NAMES) })
  .meta({ id: 'EndpointFormat', description: "What the endpoint's requests look like." });

export const FormatInputSchema = z
  .union([z.string(), z.strictObject({ name: z.string() })])
  .describe(
    "What the endpoint's requests look like, by name or as an object {name, …options}; null or absent = `standard`.",
  );
