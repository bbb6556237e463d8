// The service serves the module of uPlot under this name.
export { default } from 'uplot';
