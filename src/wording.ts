/** `1 recording`, `2 recordings`, for words whose plural ends in s. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;
