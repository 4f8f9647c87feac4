export const courtroom = {};
