/**
 * Where a value stands in a request. `body` is a path of members (`event.id`, `items.0.id`) in a JSON or form body; `[]`
 * in it is the only item of an array, and nothing where there are several.
 */
export type Place =
  | { readonly header: string }
  | { readonly body: string }
  | { readonly query: string }
  | { readonly constant: string }
  | { readonly bodyHash: true };

/** One value, or several joined by `:`, which count only together. */
export type Pick = Place | readonly Place[];
