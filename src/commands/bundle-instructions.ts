export interface InstructionFacts {
  /** ISO 8601. */
  readonly madeAt: string;
  readonly recordings: readonly string[];
}

/** What an outsider reads first, by file name. */
export const bundleInstructions = (facts: InstructionFacts): Readonly<Record<string, string>> => ({
  'ANLEITUNG.txt': german(facts),
  'INSTRUCTIONS.txt': english(facts),
});

const german = ({ madeAt, recordings }: InstructionFacts): string => `Aufzeichnungen zur Weitergabe
=============================

Zusammengestellt am ${madeAt}.

Was hier liegt
--------------
recordings/            die Aufzeichnungen; jede besteht aus
                       .wav und weiteren Tondateien   das Gespräch, so wie es übertragen wurde
                       _info.txt                      wann, wer, wie, mit welchen Lücken
                       _hash.txt                      SHA-256-Prüfsummen dieser Dateien
                       _hash.SHA256withRSA.sig        die Signatur des Aufzeichnungsgeräts darüber
                       _entry.txt, .tlog-proof        der Eintrag im Protokoll des Geräts und der Beweis, dass er darin steht
recordings/proof/      Zertifikate, signierte Stände des Protokolls und Zeitstempel
verify.sh              prüft alles mit sh, awk und openssl
sealtape-verify/       prüft alles mit Node.js ab Version 20, auch unter Windows, und sagt mehr

So prüfen Sie
-------------
1. Linux, macOS:       sh verify.sh recordings
   mit Node.js:        node sealtape-verify/verify-cli/main.js recordings
   Windows:            node sealtape-verify\\verify-cli\\main.js recordings
   Ohne Netz; nichts muss installiert werden als openssl beziehungsweise Node.js.
2. Vergleichen Sie den ausgegebenen SHA-256-Fingerabdruck des Zertifikats mit dem auf Papier (Abnahmeprotokoll). Haben Sie das Zertifikat
   als Datei aus sicherer Quelle, so geben Sie es an: dahinter bei verify.sh, mit --cert bei sealtape-verify.
   Ein Zertifikat, das nur hier beiliegt, beweist nicht, wem es gehört. Hat eine Zertifizierungsstelle es ausgestellt, so genügt deren
   Zertifikat aus sicherer Quelle; vergleichen Sie dann, auf wessen Namen es lautet. Von Hand, nur mit openssl:
   cat recordings/proof/*/ca/*.pem > zwischen.pem
   openssl verify -CAfile STELLE.pem -untrusted zwischen.pem recordings/proof/*/cert-*.pem
3. Liegen Zeitstempel bei (Dateien .tsr) und haben Sie das Zertifikat der Zeitstempelstelle:
   sh verify.sh recordings - STELLE.pem    oder    --tsa-ca STELLE.pem
4. Die letzte Zeile lautet "Result: INTACT", wenn nichts verändert wurde. Lesen Sie auch, was nicht gezeigt wurde.

Was diese Prüfung nicht zeigt: dass die Telefonanlage den wahren Ton und die wahren Namen geliefert hat, und dass es keine weiteren
Aufzeichnungen gibt; dafür braucht es das vollständige Archiv. Das Format beschreibt docs/evidence-format.md von Sealtape.

Enthaltene Aufzeichnungen
-------------------------
${recordings.join('\n')}
`;

const english = ({ madeAt, recordings }: InstructionFacts): string => `Recordings handed over
======================

Put together at ${madeAt}.

What is here
------------
recordings/            the recordings; each consists of
                       .wav and other audio files     the call as it was transmitted
                       _info.txt                      when, who, how, with which gaps
                       _hash.txt                      SHA-256 checksums of these files
                       _hash.SHA256withRSA.sig        the recorder's signature over them
                       _entry.txt, .tlog-proof        the entry in the recorder's log and the proof that it is in there
recordings/proof/      certificates, signed states of the log, and time stamps
verify.sh              checks everything with sh, awk and openssl
sealtape-verify/       checks everything with Node.js 20 or later, on Windows too, and says more

How to check
------------
1. Linux, macOS:       sh verify.sh recordings
   with Node.js:       node sealtape-verify/verify-cli/main.js recordings
   Windows:            node sealtape-verify\\verify-cli\\main.js recordings
   Without a network; nothing has to be installed but openssl, or Node.js.
2. Compare the SHA-256 fingerprint of the certificate that is printed with the one on paper (acceptance protocol). If you have the
   certificate as a file from a safe source, give it: as the next word to verify.sh, with --cert to sealtape-verify.
   A certificate that merely lies here does not prove whose it is. If an authority issued it, the certificate of that authority from a safe
   source is enough; then compare the name that it gives. By hand, with openssl alone:
   cat recordings/proof/*/ca/*.pem > between.pem
   openssl verify -CAfile AUTHORITY.pem -untrusted between.pem recordings/proof/*/cert-*.pem
3. If there are time stamps (files .tsr) and you have the certificate of their authority:
   sh verify.sh recordings - AUTHORITY.pem    or    --tsa-ca AUTHORITY.pem
4. The last line says "Result: INTACT" when nothing was altered. Read what was not shown too.

What this check does not show: that the telephone system delivered the true audio and the true names, and that there are no further
recordings; that takes the whole archive. The format is described in docs/evidence-format.md of Sealtape.

Recordings in here
------------------
${recordings.join('\n')}
`;
