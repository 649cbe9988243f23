// Unpacks Chromium and the libraries it needs into the directory for temporary files, which is where the package wants them.
import chromium from "@sparticuz/chromium";

console.log(await chromium.executablePath());
