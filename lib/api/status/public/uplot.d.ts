// The service serves uPlot's module under this name.
export { default } from 'uplot';
