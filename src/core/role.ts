// What a process of an installation does; each does everything unless told (design, "Processes").
export const ROLES = ['api', 'push', 'inbound'] as const;
export type Role = (typeof ROLES)[number];

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
