/** `client-reaches-web` as a person reads it; a name that already is a sentence stays. */
export const checkName = (name: string) => (/\s/.test(name) ? name : name.replaceAll('-', ' '))
