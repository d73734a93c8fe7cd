/** Much speech with many vowels, numbers and esses: what a detector of tones is most easily taken in by. */
export function utterance(language: string): string {
  return language === 'de' ? GERMAN : ENGLISH;
}

const ENGLISH =
  'We see these fees as fees. Whoever knew you knew who you were, too. One two three four five six seven eight nine zero. ' +
  'Nine hundred and ninety nine, one hundred and eleven, star one, star two. Sell sixty six at sixteen. Aaaaah. Eeeeeh. Ooooh. Uuuuh. ' +
  'The yield is easing, the euro leads, and all your oil is owned by the owner. Please call me when you can, I am at home the whole evening.';

const GERMAN =
  'Sie sehen sieben Ziegen, die sie nie wiegen. Eins zwei drei vier fünf sechs sieben acht neun null. Stern eins, Stern zwei, Raute. ' +
  'Neunhundertneunundneunzig Aktien zu hundertelf. Aaaaah. Iiiiih. Oooooh. Üüüüh. Öööh. Die Überweisung über fünf Euro fünfzig liegt vor. ' +
  'Bitte rufen Sie mich an, sobald Sie können, ich bin den ganzen Abend über zu Hause. Auf Wiederhören und vielen Dank für Ihre Geduld.';
