import { answerCalls } from "./child-process.js";
import { FloorServer } from "./floor-server.js";
//#region floor-server-process.ts
answerCalls({ listen: (options) => new FloorServer(options).listen() });
//#endregion
export {};

//# sourceMappingURL=floor-server-process.js.map