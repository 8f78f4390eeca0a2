// Says hello, and which container said it.
const http = require('http');
const os = require('os');

http.createServer((request, response) => {
    response.end(`${process.env.GREETING} from ${os.hostname()}\n`);
}).listen(3000);
